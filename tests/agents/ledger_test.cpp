#include "agents/ledger.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;

namespace {

Budget budget(std::string_view text) { return parse_budget(text).value(); }

std::string refusal(std::string_view text) {
  const auto parsed = parse_budget(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == ErrorCode::usage);
  return parsed.error().message;
}

}  // namespace

TEST_CASE("a budget reads as it is written on the command line", "[agents]") {
  const Budget read = budget("steps=50,tokens=200k,usd=1.5,wall=10m,tool_cpu=90s");
  CHECK(read.steps == 50);
  CHECK(read.tokens == 200'000);
  CHECK(read.usd == 1.5);
  CHECK(read.wall == 10min);
  CHECK(read.tool_cpu == 90s);
  CHECK(budget("") == Budget{});
}

TEST_CASE("a budget that cannot be meant says what to write", "[agents]") {
  CHECK(refusal("stpes=5") == "budget: no part 'stpes' (did you mean 'steps'?)");
  CHECK(refusal("steps") == "budget: 'steps': write NAME=VALUE, such as steps=50,wall=10m");
  CHECK(refusal("steps=0") == "budget: steps=0: write a number above 0, such as 50 or 200k");
  CHECK(refusal("tokens=-1") == "budget: tokens=-1: write a number above 0, such as 50 or 200k");
  CHECK(refusal("usd=nan") == "budget: usd=nan: write dollars above 0, such as 1.50");
  CHECK(refusal("usd=1,wall=10") == "budget: wall=10: write a duration, such as 90s, 10m or 2h");
}

TEST_CASE("only what the model had to read or write counts as tokens", "[agents]") {
  const Instant start{};
  Ledger ledger(budget("tokens=1000"), start);
  ledger.add({5000, 4500, 300, 100}, 0);
  CHECK(ledger.state(start) == BudgetState::open);
  ledger.add({6000, 5800, 0, 0}, 0);
  CHECK(ledger.state(start) == BudgetState::spent);
  CHECK(ledger.reason(start) == "tokens 1000 of 1000");
}

TEST_CASE("a slice of every limit is kept for a summary", "[agents]") {
  const Instant start{};
  SECTION("money") {
    Ledger ledger(budget("usd=1"), start);
    ledger.add({}, 0.96);
    CHECK(ledger.state(start) == BudgetState::wrapping);
    CHECK(ledger.reason(start) == "cost $0.9600 of $1.0000");
    ledger.add({}, 0.04);
    CHECK(ledger.state(start) == BudgetState::spent);
  }
  SECTION("time") {
    const Ledger ledger(budget("wall=100s"), start);
    CHECK(ledger.state(start + 94s) == BudgetState::open);
    CHECK(ledger.state(start + 95s) == BudgetState::wrapping);
    CHECK(ledger.state(start + 100s) == BudgetState::spent);
  }
  SECTION("processor time of tools") {
    Ledger ledger(budget("tool_cpu=10s"), start);
    ledger.add_tool_cpu(10s);
    CHECK(ledger.state(start) == BudgetState::spent);
  }
}

TEST_CASE("a child spends what was set aside for it and gives back the rest", "[agents]") {
  const Instant start{};
  Ledger parent(budget("tokens=1000,usd=1"), start);
  auto first = parent.reserve(budget("tokens=600,usd=1"), start);
  REQUIRE(first);
  CHECK(first->budget().tokens == 570);  // 5 % stay for the parent's summary
  auto second = parent.reserve({}, start);
  REQUIRE_FALSE(second);  // all of the money is set aside for the first
  CHECK(second.error().code == ErrorCode::too_large);
  first->add({100, 0, 0, 0}, 0.1);
  parent.settle(*first);
  CHECK(parent.spent().tokens() == 100);
  CHECK(parent.spent().usd == Approx(0.1));
  CHECK(parent.state(start) == BudgetState::open);
  CHECK(parent.reserve({}, start));
}

TEST_CASE("a child takes no more steps than the run has left", "[agents]") {
  Ledger parent(budget("steps=5"), Instant{});
  parent.add_step();
  parent.add_step();
  CHECK(parent.reserve({}, Instant{})->budget().steps == 3);
  CHECK(parent.reserve(budget("steps=2"), Instant{})->budget().steps == 2);
}

TEST_CASE("children that name no limit leave something to those beside them", "[agents]") {
  const Instant start{};
  Ledger parent(budget("tokens=1000,tool_cpu=8s"), start);
  for (const std::uint64_t tokens : {475U, 248U, 131U}) {
    const auto child = parent.reserve({}, start);
    REQUIRE(child);
    CHECK(child->budget().tokens == tokens);
  }
  CHECK(parent.state(start) == BudgetState::open);
}
