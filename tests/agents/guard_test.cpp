#include "agents/guard.hpp"

#include "tests/support/catch.hpp"

#include <random>

using namespace fathom::agents;

namespace {

using Kind = GuardVerdict::Kind;

StepFacts step(std::string call, std::string result, bool failed = false) {
  StepFacts facts;
  facts.calls.push_back({"bash", std::move(call), std::move(result), failed});
  return facts;
}

}  // namespace

TEST_CASE("the same call with the same result three times is noted, then stopped", "[agents]") {
  Guard guard;
  CHECK(guard.observe(step("ls", "a")).kind == Kind::none);
  CHECK(guard.observe(step("ls", "a")).kind == Kind::none);
  const GuardVerdict noted = guard.observe(step("ls", "a"));
  CHECK(noted.kind == Kind::note);
  CHECK(noted.guard == "same_call");
  CHECK_FALSE(noted.text.empty());
  CHECK(guard.observe(step("ls", "a")).kind == Kind::none);  // a fresh chance
  CHECK(guard.observe(step("ls", "a")).kind == Kind::none);
  CHECK(guard.observe(step("ls", "a")).kind == Kind::stop);
}

TEST_CASE("a call whose result changes is no circle", "[agents]") {
  Guard guard;
  for (int i = 0; i < 50; ++i)
    CHECK(guard.observe(step("make", std::to_string(i))).kind == Kind::none);
}

TEST_CASE("the same error from different calls is noted", "[agents]") {
  Guard guard;
  (void)guard.observe(step("a", "no such file", true));
  (void)guard.observe(step("b", "no such file", true));
  CHECK(guard.observe(step("c", "no such file", true)).guard == "same_error");
}

TEST_CASE("the same good result from different calls is not", "[agents]") {
  Guard guard;
  for (const char* call : {"a", "b", "c", "d"})
    CHECK(guard.observe(step(call, "ok")).kind == Kind::none);
}

TEST_CASE("going back and forth between two calls is noted", "[agents]") {
  Guard guard;
  GuardVerdict last;
  for (int i = 0; i < 6; ++i) last = guard.observe(i % 2 == 0 ? step("a", "1") : step("b", "2"));
  CHECK(last.guard == "alternating");
}

TEST_CASE("many steps that change neither files nor tests are noted", "[agents]") {
  Guard guard;
  const auto look = [](int number, std::string workspace) {
    StepFacts facts = step("look " + std::to_string(number), std::to_string(number));
    facts.workspace = std::move(workspace);
    return facts;
  };
  for (std::size_t i = 0; i < Guard::kIdleStepsMax; ++i)
    CHECK(guard.observe(look(static_cast<int>(i), "w")).kind == Kind::none);
  SECTION("unless something changes") { CHECK(guard.observe(look(-1, "v")).kind == Kind::none); }
  SECTION("unless the failing tests do") {
    StepFacts facts = look(-1, "w");
    facts.failing_tests = "two";
    CHECK(guard.observe(facts).kind == Kind::none);
  }
  SECTION("unless nobody looks at the workspace") {
    CHECK(guard.observe(step("x", "y")).kind == Kind::none);
  }
  SECTION("else") { CHECK(guard.observe(look(-1, "w")).guard == "no_progress"); }
}

TEST_CASE("a passage that comes again and again is caught, however it is cut", "[agents]") {
  std::mt19937 random(7);
  for (const std::size_t period : {160U, 300U, 1999U}) {
    CAPTURE(period);
    std::string passage;
    while (passage.size() < period) passage += static_cast<char>('a' + random() % 26);
    std::string text = "Let me look at this first. ";
    for (int i = 0; i < 8; ++i) text += passage;
    RepetitionWatch watch;
    bool caught = false;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t piece = 1 + random() % 40;
      caught |= watch.feed(std::string_view(text).substr(at, piece));
      at += piece;
    }
    CHECK(caught);
  }
}

TEST_CASE("ordinary text, rulers and tables are not caught", "[agents]") {
  RepetitionWatch watch;
  std::string table;
  for (int i = 0; i < 200; ++i) table += "| row " + std::to_string(i) + " | value |\n";
  CHECK_FALSE(watch.feed(std::string(600, '-')));
  CHECK_FALSE(watch.feed(table));
  for (int i = 0; i < 3; ++i)
    CHECK_FALSE(watch.feed("def test_" + std::to_string(i) + "():\n    assert f(" +
                           std::to_string(i * 7) + ") == 1\n" + std::string(100, ' ')));
}
