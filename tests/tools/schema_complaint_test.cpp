#include "tools/schema_complaint.hpp"

#include "tests/support/catch.hpp"
#include "tools/arguments.hpp"

using namespace fathom::tools;

namespace {

constexpr std::string_view kSchema = R"({"type":"object","properties":{
  "text":{"type":"string","minLength":2,"maxLength":4},
  "count":{"type":"integer","minimum":1,"maximum":9},
  "mode":{"type":"string","enum":["fast","slow"]},
  "maybe":{"type":["string","null"]},
  "only":{"const":7},
  "pair":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2},
  "some":{"type":"array","minItems":1,"maxItems":3},
  "files":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},
    "open":{"type":"boolean"}},"required":["name"],"additionalProperties":false}},
  "both":{"allOf":[{"type":"string"},{"maxLength":1}]}},
  "required":["text"],"additionalProperties":false})";

// Of a value that the validator refuses as well, so that no words are tested that nobody sees.
std::string said(const std::string& members) {
  const std::string value = R"({"text":"abc")" + (members.empty() ? "" : "," + members) + "}";
  const auto schema = ArgumentSchema::compile("t", kSchema).value();
  CHECK_FALSE(schema.check(Arguments::parse(value).value()));
  return schema_complaint(kSchema, value).value_or("");
}

}  // namespace

TEST_CASE("a value of the wrong type is named with both types", "[tools]") {
  CHECK(said(R"("mode":3)") == "'mode' must be a string, not a number");
  CHECK(said(R"("count":"3")") == "'count' must be an integer, not a string");
  CHECK(said(R"("count":2.5)") == "'count' must be an integer, not 2.5");
  CHECK(said(R"("maybe":[])") == "'maybe' must be a string or null, not an array");
  CHECK(said(R"("pair":[1,"x"])") == "'pair[1]' must be an integer, not a string");
  CHECK(said(R"("files":{})") == "'files' must be an array, not an object");
  CHECK(said(R"("files":[{"name":"a","open":"yes"}])") ==
        "'files[0].open' must be a boolean, not a string");
}

TEST_CASE("a value outside its bounds is named with the bound", "[tools]") {
  CHECK(said(R"("count":0)") == "'count' must be at least 1");
  CHECK(said(R"("count":10)") == "'count' must be at most 9");
  CHECK(said(R"("pair":[1])") == "'pair' must have 2 items");
  CHECK(said(R"("some":[])") == "'some' must have at least 1 item");
  CHECK(said(R"("some":[1,2,3,4])") == "'some' must have at most 3 items");
  CHECK(schema_complaint(kSchema, R"({"text":"a"})") == "'text' must have at least 2 characters");
  CHECK_FALSE(schema_complaint(kSchema, "{\"text\":\"\u00e4\u00f6\u00fc\u00df\"}"));
  CHECK(said(R"("both":"xy")") == "'both' must have at most 1 character");
}

TEST_CASE("a value that is none of the choices is shown with them, short", "[tools]") {
  CHECK(said(R"("mode":"quick")") == "'mode' must be one of 'fast', 'slow', not 'quick'");
  CHECK(said(R"("only":8)") == "'only' must be 7, not 8");
  const std::string long_value = said(R"("mode":")" + std::string(5'000, 'x') + "\"");
  CHECK(long_value.size() < 200);
}

TEST_CASE("a name that is missing or unknown is named with its place", "[tools]") {
  CHECK(schema_complaint(kSchema, "{}") == "missing 'text'");
  CHECK(said(R"("moed":"fast")") == "unknown 'moed' (did you mean 'mode'?)");
  CHECK(said(R"("files":[{"open":true}])") == "missing 'name' in 'files[0]'");
  CHECK(said(R"("files":[{"name":"a","nmae":"b"}])") ==
        "unknown 'nmae' in 'files[0]' (did you mean 'name'?)");
}

TEST_CASE("what has no words of ours is still refused, with its place", "[tools]") {
  const auto schema =
      ArgumentSchema::compile(
          "t",
          R"({"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"minimum":5}]}}})")
          .value();
  const auto wrong = schema.check(Arguments::parse(R"({"a":3})").value());
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message == "t: 'a' does not match the schema; t(a?: any)");
}
