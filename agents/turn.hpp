// Turn: from a user's message to an answer, as a pure machine. It decides what happens next; the
// TurnDriver does it and says how it went.
//
//   Started ─► boundary ─► Sample ─► Answered ─► RunTools ─► CallsEnded ─► boundary …
//                 │                     │                                     │
//                 ├► Compact            ├► Note ─► Sample (empty, cut, not what the schema wants)
//                 └► Finish             └► Finish(answered)
//
// A boundary is where a step ends: nothing is under way, the transcript is valid, and who wants to
// steer, stop, compact or end the run gets a turn.
#pragma once

#include "engine/session/engine.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace fathom::agents {

enum class TurnEnd : std::uint8_t {
  answered,
  step_limit,
  budget,
  cancelled,
  loop,
  rejected,  ///< an edit did not pass the check that has to be passed after each
  engine_error,
  sandbox_missing,  ///< what the policy requires of the sandbox is not there: nothing can run
  suspended,        ///< a call waits for an approval that nobody here can give
};
[[nodiscard]] std::string_view name_of(TurnEnd end);

/// Of the money, tokens and time of a run (ledger.hpp).
enum class BudgetState : std::uint8_t {
  open,
  wrapping,  ///< only the slice that is kept for a summary is left
  spent
};

/// What a boundary looks at.
struct Boundary {
  bool cancelled = false;
  bool steered = false;       ///< a message was delivered: an answer before it is not the last word
  bool context_full = false;  ///< the transcript has outgrown its share of the context
  bool looping = false;       ///< a guard says stop
  bool rejected = false;      ///< what was edited does not pass the agent's check
  bool suspended = false;
  bool sandbox_missing = false;
  BudgetState budget = BudgetState::open;
};

namespace event {
struct Started {
  Boundary at;
};
struct Answered {
  engine::FinishReason finish = engine::FinishReason::stop;
  std::size_t calls = 0;
  bool empty = false;  ///< neither words nor calls
  bool unfit = false;  ///< an answer was asked for by a schema, and this does not match it
  Boundary at;
};
/// The sample was stopped by us; what had come of it is in the transcript.
struct Interrupted {
  Boundary at;
};
struct CallsEnded {
  Boundary at;
};
struct Failed {
  engine::FaultClass kind{};
};
struct Compacted {
  bool smaller = false;      ///< the transcript fits again
  bool interrupted = false;  ///< nothing came of it, because somebody wanted something else
  Boundary at{};
};
}  // namespace event
using TurnEvent = std::variant<event::Started, event::Answered, event::Interrupted,
                               event::CallsEnded, event::Failed, event::Compacted>;

/// What the runtime tells the model in a user's place.
enum class Note : std::uint8_t { empty_answer, cut_answer, unfit_answer, wrap_up };

namespace action {
struct Sample {
  bool may_call = true;
};
/// Say this to the model, then sample.
struct Remark {
  Note note{};
  bool may_call = true;
};
struct RunTools {};
/// Answer the calls without running them: the turn is ending, or they were cut off.
struct SkipTools {
  TurnEnd end{};
};
struct Compact {};
struct Finish {
  TurnEnd end{};
};
}  // namespace action
using TurnAction = std::variant<action::Sample, action::Remark, action::RunTools, action::SkipTools,
                                action::Compact, action::Finish>;

struct TurnRules {
  std::uint64_t steps_max = 200;  ///< samples; one more without tools follows, to say what was done
  int repairs_max = 2;            ///< of empty, cut or unfit answers in a row
};

class Turn {
 public:
  static constexpr int kCompactionsMax = 2;  ///< in a row, without a sample between them

  /// `steps` that the turn has taken already, before it was resumed.
  explicit Turn(TurnRules rules, std::uint64_t steps = 0) : rules_(rules), steps_(steps) {}

  /// After Finish nothing may follow.
  TurnAction on(const TurnEvent& event);

  [[nodiscard]] std::uint64_t steps() const { return steps_; }  ///< samples that were asked for

 private:
  TurnAction decide(const event::Started& event);
  TurnAction decide(const event::Answered& event);
  TurnAction decide(const event::Interrupted& event);
  TurnAction decide(const event::CallsEnded& event);
  TurnAction decide(const event::Failed& event);
  TurnAction decide(const event::Compacted& event);
  TurnAction boundary(const Boundary& at);
  TurnAction sample();
  TurnAction repair(Note note);
  TurnAction wrap_up(TurnEnd end);
  TurnAction finish(TurnEnd end);

  TurnRules rules_;
  std::uint64_t steps_ = 0;
  int repairs_ = 0;
  int compactions_ = 0;
  bool overflowed_ = false;  ///< the engine has refused the transcript as too long
  bool futile_ = false;      ///< it cannot be made shorter: wait until the engine refuses it
  bool finished_ = false;
  bool wrapping_ = false;  ///< the last sample is under way, for a summary
  TurnEnd wrap_end_ = TurnEnd::answered;
};

}  // namespace fathom::agents
