#include "tools/json_schema.hpp"

#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

namespace fathom::tools {
namespace {

std::string complaint(std::string_view schema, std::string_view value) {
  const Result<> fits = JsonSchema::compile(schema)->check(*parse_strict_json(value));
  return fits ? "" : fits.error().message;
}

TEST_CASE("a schema may describe any JSON value", "[tools]") {
  CHECK(complaint(R"({"type":"array","items":{"type":"integer"}})", "[1,2]").empty());
  CHECK(complaint(R"({"type":"array"})", "{}") == "the value must be an array, not an object");
  CHECK(complaint(R"({"enum":["yes","no"]})", R"("yes")").empty());
  CHECK_FALSE(complaint(R"({"enum":["yes","no"]})", R"("maybe")").empty());
  CHECK(complaint(
            R"({"type":"object","required":["a"],"properties":{"a":{"type":["string","null"]}}})",
            R"({"a":null})")
            .empty());
}

TEST_CASE("JSON that two readers could read differently is refused", "[tools]") {
  CHECK(parse_strict_json(R"({"a":1,"a":2})").error().message == "'a' stands twice");
  CHECK_FALSE(parse_strict_json("[1,"));
  CHECK_FALSE(parse_strict_json("1 2"));
  CHECK_FALSE(parse_strict_json(""));
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  CHECK(parse_strict_json(deep).error().message == "nested deeper than 64");
}

}  // namespace
}  // namespace fathom::tools
