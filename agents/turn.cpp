#include "agents/turn.hpp"

#include "runtime/base/ensure.hpp"

#include <utility>

namespace fathom::agents {

std::string_view name_of(TurnEnd end) {
  switch (end) {
    case TurnEnd::answered:
      return "answered";
    case TurnEnd::step_limit:
      return "step_limit";
    case TurnEnd::budget:
      return "budget";
    case TurnEnd::cancelled:
      return "cancelled";
    case TurnEnd::loop:
      return "loop";
    case TurnEnd::rejected:
      return "rejected";
    case TurnEnd::engine_error:
      return "engine_error";
    case TurnEnd::sandbox_missing:
      return "sandbox_missing";
    case TurnEnd::suspended:
      return "suspended";
  }
  return "engine_error";
}

TurnAction Turn::on(const TurnEvent& event) {
  ENSURE(!finished_, "a turn has one end");
  return std::visit([this](const auto& happened) { return decide(happened); }, event);
}

TurnAction Turn::decide(const event::Started& event) { return boundary(event.at); }

TurnAction Turn::decide(const event::CallsEnded& event) {
  if (wrapping_) return finish(wrap_end_);
  return boundary(event.at);
}

TurnAction Turn::decide(const event::Interrupted& event) {
  if (wrapping_) return finish(wrap_end_);
  return boundary(event.at);
}

TurnAction Turn::decide(const event::Answered& event) {
  compactions_ = 0;
  const bool was_cut = event.finish == engine::FinishReason::length;
  if (event.calls != 0) {
    if (event.at.cancelled) return action::SkipTools{TurnEnd::cancelled};
    if (event.at.rejected) return action::SkipTools{TurnEnd::rejected};
    if (wrapping_) return action::SkipTools{wrap_end_};
    repairs_ = 0;
    return action::RunTools{};  // of a sample that was cut these are the whole ones
  }
  if (wrapping_) return finish(wrap_end_);
  if (event.at.cancelled) return finish(TurnEnd::cancelled);
  if (event.at.steered) return boundary(event.at);
  if (was_cut || event.empty || event.unfit) {
    if (event.at.budget != BudgetState::open) return boundary(event.at);
    if (was_cut) return repair(Note::cut_answer);
    return repair(event.empty ? Note::empty_answer : Note::unfit_answer);
  }
  return finish(TurnEnd::answered);
}

TurnAction Turn::decide(const event::Failed& event) {
  if (event.kind == engine::FaultClass::overflow && !wrapping_ && compactions_ < kCompactionsMax) {
    ++compactions_;
    overflowed_ = true;
    return action::Compact{};
  }
  return finish(wrapping_ ? wrap_end_ : TurnEnd::engine_error);
}

TurnAction Turn::decide(const event::Compacted& event) {
  const bool overflowed = std::exchange(overflowed_, false);
  if (!event.interrupted) {
    if (!event.smaller && overflowed) return finish(TurnEnd::engine_error);
    futile_ = !event.smaller;
  }
  return boundary(event.at);
}

TurnAction Turn::boundary(const Boundary& at) {
  if (at.cancelled) return finish(TurnEnd::cancelled);
  if (at.suspended) return finish(TurnEnd::suspended);
  if (at.sandbox_missing) return finish(TurnEnd::sandbox_missing);
  if (at.rejected) return finish(TurnEnd::rejected);
  if (at.looping) return finish(TurnEnd::loop);
  if (at.budget == BudgetState::spent) return finish(TurnEnd::budget);
  if (at.budget == BudgetState::wrapping) return wrap_up(TurnEnd::budget);
  // Who was given no step at all has said already, in an earlier turn, what was done.
  if (rules_.steps_max == 0) return finish(TurnEnd::step_limit);
  if (steps_ >= rules_.steps_max) return wrap_up(TurnEnd::step_limit);
  if (at.context_full && !futile_ && compactions_ < kCompactionsMax) {
    ++compactions_;
    return action::Compact{};
  }
  return sample();
}

TurnAction Turn::sample() {
  ++steps_;
  return action::Sample{};
}

TurnAction Turn::repair(Note note) {
  if (steps_ >= rules_.steps_max) return finish(TurnEnd::step_limit);
  if (repairs_ >= rules_.repairs_max) return finish(TurnEnd::engine_error);
  ++repairs_;
  ++steps_;
  return action::Remark{note};
}

TurnAction Turn::wrap_up(TurnEnd end) {
  wrapping_ = true;
  wrap_end_ = end;
  ++steps_;
  return action::Remark{Note::wrap_up, false};
}

TurnAction Turn::finish(TurnEnd end) {
  finished_ = true;
  return action::Finish{end};
}

}  // namespace fathom::agents
