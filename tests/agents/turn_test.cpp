#include "agents/turn.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::agents;

namespace {

template <class Action>
bool is(const TurnAction& action) {
  return std::holds_alternative<Action>(action);
}

std::string end_of(const TurnAction& action) {
  const auto* finish = std::get_if<action::Finish>(&action);
  return finish == nullptr ? "goes on" : std::string(name_of(finish->end));
}

event::Answered words() { return {}; }
event::Answered calls(std::size_t count) {
  event::Answered answered;
  answered.finish = engine::FinishReason::tool_calls;
  answered.calls = count;
  return answered;
}

}  // namespace

TEST_CASE("a turn samples, runs what was called, and ends with an answer", "[agents]") {
  Turn turn({});
  CHECK(is<action::Sample>(turn.on(event::Started{})));
  CHECK(is<action::RunTools>(turn.on(calls(2))));
  CHECK(is<action::Sample>(turn.on(event::CallsEnded{})));
  CHECK(end_of(turn.on(words())) == "answered");
  CHECK(turn.steps() == 2);
}

TEST_CASE("a turn at its step limit asks for a summary without tools instead of going on",
          "[agents]") {
  Turn turn({2});
  CHECK(is<action::Sample>(turn.on(event::Started{})));
  CHECK(is<action::RunTools>(turn.on(calls(1))));
  CHECK(is<action::Sample>(turn.on(event::CallsEnded{})));
  CHECK(is<action::RunTools>(turn.on(calls(1))));
  const TurnAction last = turn.on(event::CallsEnded{});
  REQUIRE(is<action::Remark>(last));
  CHECK(std::get<action::Remark>(last).note == Note::wrap_up);
  CHECK_FALSE(std::get<action::Remark>(last).may_call);
  SECTION("the summary ends it") { CHECK(end_of(turn.on(words())) == "step_limit"); }
  SECTION("calls are not run any more") {
    CHECK(is<action::SkipTools>(turn.on(calls(1))));
    CHECK(end_of(turn.on(event::CallsEnded{})) == "step_limit");
  }
  SECTION("a model that fails then does not hide why it ended") {
    CHECK(end_of(turn.on(event::Failed{engine::FaultClass::server})) == "step_limit");
  }
}

TEST_CASE("a turn that is left no step ends before it asks anything", "[agents]") {
  Turn turn({0});
  CHECK(end_of(turn.on(event::Started{})) == "step_limit");
  CHECK(turn.steps() == 0);
}

TEST_CASE("an answer at the very last step is an answer", "[agents]") {
  Turn turn({1});
  CHECK(is<action::Sample>(turn.on(event::Started{})));
  CHECK(end_of(turn.on(words())) == "answered");
}

TEST_CASE("a boundary ends a turn for the most important reason", "[agents]") {
  Boundary at;
  at.cancelled = at.looping = at.context_full = true;
  at.budget = BudgetState::spent;
  CHECK(end_of(Turn({}).on(event::Started{at})) == "cancelled");
  at.cancelled = false;
  CHECK(end_of(Turn({}).on(event::Started{at})) == "loop");
  at.looping = false;
  CHECK(end_of(Turn({}).on(event::Started{at})) == "budget");
  at.budget = BudgetState::open;
  CHECK(is<action::Compact>(Turn({}).on(event::Started{at})));
  at.suspended = true;
  CHECK(end_of(Turn({}).on(event::Started{at})) == "suspended");
}

TEST_CASE("the slice kept for a summary is used for one", "[agents]") {
  Turn turn({});
  Boundary at;
  at.budget = BudgetState::wrapping;
  CHECK(is<action::Remark>(turn.on(event::Started{at})));
  CHECK(end_of(turn.on(words())) == "budget");
}

TEST_CASE("an answer that is empty, cut or unfit is asked for again, at most twice", "[agents]") {
  event::Answered answered;
  Note note{};
  SECTION("empty") {
    answered.empty = true;
    note = Note::empty_answer;
  }
  SECTION("cut") {
    answered.finish = engine::FinishReason::length;
    note = Note::cut_answer;
  }
  SECTION("unfit") {
    answered.unfit = true;
    note = Note::unfit_answer;
  }
  Turn turn({});
  (void)turn.on(event::Started{});
  for (int i = 0; i < TurnRules().repairs_max; ++i) {
    const TurnAction action = turn.on(answered);
    REQUIRE(is<action::Remark>(action));
    CHECK(std::get<action::Remark>(action).note == note);
  }
  CHECK(end_of(turn.on(answered)) == "engine_error");
}

TEST_CASE("a message that came meanwhile is heard before the turn ends", "[agents]") {
  Turn turn({});
  (void)turn.on(event::Started{});
  event::Answered answered;
  answered.at.steered = true;
  CHECK(is<action::Sample>(turn.on(answered)));
  CHECK(end_of(turn.on(words())) == "answered");
}

TEST_CASE("a context that overflows is compacted and asked again, and not for ever", "[agents]") {
  Turn turn({});
  const event::Failed overflow{engine::FaultClass::overflow};
  (void)turn.on(event::Started{});
  CHECK(is<action::Compact>(turn.on(overflow)));
  CHECK(is<action::Sample>(turn.on(event::Compacted{true})));
  SECTION("until it does not get smaller") {
    CHECK(is<action::Compact>(turn.on(overflow)));
    CHECK(end_of(turn.on(event::Compacted{false})) == "engine_error");
  }
  SECTION("until it has been tried twice") {
    CHECK(is<action::Compact>(turn.on(overflow)));
    CHECK(is<action::Sample>(turn.on(event::Compacted{true})));
    CHECK(end_of(turn.on(overflow)) == "engine_error");
  }
}

TEST_CASE("an interruption leaves calls unrun and ends the turn", "[agents]") {
  Turn turn({});
  (void)turn.on(event::Started{});
  event::Answered answered = calls(2);
  answered.at.cancelled = true;
  CHECK(is<action::SkipTools>(turn.on(answered)));
  Boundary at;
  at.cancelled = true;
  CHECK(end_of(turn.on(event::CallsEnded{at})) == "cancelled");
}

TEST_CASE("an unusable answer is not sent back on a budget that is spent", "[agents]") {
  event::Answered unusable;
  unusable.empty = true;
  Turn turn({});
  (void)turn.on(event::Started{});
  unusable.at.budget = BudgetState::wrapping;
  const auto wrapping = turn.on(unusable);
  REQUIRE(is<action::Remark>(wrapping));
  CHECK(std::get<action::Remark>(wrapping).note == Note::wrap_up);
  Turn other({});
  (void)other.on(event::Started{});
  unusable.at.budget = BudgetState::spent;
  CHECK(end_of(other.on(unusable)) == "budget");
}

TEST_CASE("a transcript that cannot be made shorter is tried once, and again when it overflows",
          "[agents]") {
  Boundary full;
  full.context_full = true;
  Turn turn({});
  CHECK(is<action::Compact>(turn.on(event::Started{full})));
  CHECK(is<action::Sample>(turn.on(event::Compacted{false, false, full})));
  event::Answered called;
  called.calls = 1;
  CHECK(is<action::RunTools>(turn.on(called)));
  CHECK(is<action::Sample>(turn.on(event::CallsEnded{full})));
  CHECK(is<action::Compact>(turn.on(event::Failed{engine::FaultClass::overflow})));
  CHECK(end_of(turn.on(event::Compacted{false, false, full})) == "engine_error");
}

TEST_CASE("an interrupted compaction is a boundary", "[agents]") {
  Boundary at;
  at.context_full = true;
  Turn turn({});
  CHECK(is<action::Compact>(turn.on(event::Started{at})));
  SECTION("that ends the turn") {
    at.cancelled = true;
    CHECK(end_of(turn.on(event::Compacted{false, true, at})) == "cancelled");
  }
  SECTION("that tries again, a bounded number of times") {
    CHECK(is<action::Compact>(turn.on(event::Compacted{false, true, at})));
    CHECK(is<action::Sample>(turn.on(event::Compacted{false, true, at})));
  }
}
