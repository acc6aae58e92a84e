#include "engine/text/declared_tools.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::engine;

TEST_CASE("a tool's parameters have the types of its schema, as far as it says", "[text]") {
  const std::vector<std::string> functions = {
      R"({"name":"f","parameters":{"properties":{"a":{"type":"integer"},"b":{"type":["string",
          "null"]},"c":{"anyOf":[]},"d":5},"required":["a",7]}})",
      R"({"name":"g"})", R"({"name":"h","parameters":[1]})"};
  const DeclaredTools tools = DeclaredTools::create(functions).value();
  const DeclaredTool& f = *tools.find("f");
  CHECK(f.parameters.at("a").bits == JsonTypes::kNumber);
  CHECK(f.parameters.at("b").bits == (JsonTypes::kString | JsonTypes::kNull));
  CHECK(!f.parameters.at("c").known());
  CHECK(!f.parameters.at("d").known());
  CHECK(f.required == std::vector<std::string>{"a"});
  CHECK(tools.find("g")->parameters.empty());
  CHECK(tools.find("h")->parameters.empty());
  CHECK(tools.find("x") == nullptr);
}

TEST_CASE("a tool without a name is refused by its place", "[text]") {
  const std::vector<std::string> nameless = {R"({"name":"f"})", "{}"};
  CHECK(DeclaredTools::create(nameless).error().message == "tools[1]: a tool needs a name");
  const std::vector<std::string> broken = {"{"};
  CHECK(DeclaredTools::create(broken).error().message ==
        "tools[0]: byte 1: expected a key in quotes");
}
