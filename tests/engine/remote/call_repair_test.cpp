#include "engine/remote/call_repair.hpp"

#include "tests/support/catch.hpp"

#include <string>

using namespace fathom::engine;

TEST_CASE("what is nearly JSON becomes JSON, and is told", "[engine]") {
  struct Row {
    std::string given;
    std::string arguments;
    std::string what;
  };
  const std::vector<Row> rows = {
      {"", "{}", "took no arguments for an empty object"},
      {" \n", "{}", "took no arguments for an empty object"},
      {"```\n{}\n```", "{}", "removed a code fence"},
      {"```json\n{\"a\":1}\n```", "{\"a\":1}", "removed a code fence"},
      {"{\"a\":1,}", "{\"a\":1}", "removed a trailing comma"},
      {"{\"a\":[1,2,],}", "{\"a\":[1,2]}", "removed a trailing comma"},
      {"{\"a\":[1", "{\"a\":[1]}", "added the missing ]}"},
      {"{\"a\":1,", "{\"a\":1}", "removed a trailing comma, added the missing }"},
      {"{\"a\":\"},]\\\"\",}", "{\"a\":\"},]\\\"\"}", "removed a trailing comma"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.given);
    const auto repaired = repair_arguments(row.given);
    REQUIRE(repaired);
    CHECK(repaired->arguments == row.arguments);
    CHECK(repaired->what == row.what);
  }
}

TEST_CASE("what could mean something else is left alone", "[engine]") {
  for (const std::string given :
       {"ls -l", "[1]", "\"a\"", "{\"a\":\"cut", "{\"a\":1}}", "{\"a\":1]", "{'a':1}",
        "{\"a\":[[[[[1", "{\"a\":1} {\"b\":2}", "```", "```json {}```"}) {
    CAPTURE(given);
    CHECK_FALSE(repair_arguments(given));
  }
  CHECK_FALSE(repair_arguments("{\"a\":\"" + std::string(kRepairBytesMax, 'x') + "\","));
}
