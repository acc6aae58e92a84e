#include "agents/session_budget.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;

TEST_CASE("a budget reads back as it was written, with what has no limit", "[agents]") {
  Budget some;
  some.tokens = 200'000;
  some.usd = 0.1;
  some.wrap_up = 0.2;
  Budget all = some;
  all.steps = 1;
  all.wall = 90s;
  all.tool_cpu = 1500ms;
  for (const Budget& budget : {Budget(), some, all}) {
    INFO(encode(budget));
    CHECK(decode_budget(encode(budget)) == budget);
  }
}

TEST_CASE("what is no budget is none, not one without limits", "[agents]") {
  for (const char* text : {"", "[]", "{", R"({"steps":-1})", R"({"steps":1.5})",
                           R"({"tokens":"many"})", R"({"usd":-2})", R"({"usd":true})",
                           R"({"wall_ms":18446744073709551615})", R"({"tool_cpu_ms":1e300})"}) {
    INFO(text);
    CHECK_FALSE(decode_budget(text));
  }
  CHECK(decode_budget("{}") == Budget());
}

TEST_CASE("a budget that is renewed keeps the parts that nobody names, and the agent's limits",
          "[agents]") {
  Budget was;
  was.steps = 10;
  was.usd = 1;
  Budget wanted;
  wanted.usd = 5;
  wanted.tokens = 1000;
  Budget own;
  own.usd = 3;
  Budget expected;
  expected.steps = 10;
  expected.usd = 3;
  expected.tokens = 1000;
  CHECK(renewed(was, wanted, own) == expected);
}
