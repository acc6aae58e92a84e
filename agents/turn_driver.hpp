// TurnDriver: performs what Turn decides, for one turn of a session.
//
// Its own rules are few: what happened is in the log before anything is built on it, a failed tool
// is an answer for the model, and whoever cancels the driver (not the turn) finds the log at a
// place from which the session can be resumed.
#pragma once

#include "agents/control.hpp"
#include "agents/guard.hpp"
#include "agents/ledger.hpp"
#include "agents/live_output.hpp"
#include "agents/model_caller.hpp"
#include "agents/session_log.hpp"
#include "agents/turn.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/result.hpp"
#include "tools/dispatch.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

struct TurnLimits {
  TurnRules rules;
  double compact_at = 0.85;  ///< the share of the context at which a transcript is made shorter
  std::uint64_t context_tokens = 0;   ///< 0: the engine's
  std::optional<std::uint64_t> seed;  ///< absent: the setup's
  std::optional<double> temperature;  ///< likewise
};

/// How a turn ended.
struct TurnReport {
  TurnEnd end = TurnEnd::answered;
  std::string answer;  ///< the last words of the model
  std::string why;     ///< one line for a person, when it is not `answered`
  std::uint64_t steps = 0;
  std::optional<engine::Fault> fault;  ///< of an engine error
};

class TurnDriver {
 public:
  struct Services {
    Clock& clock;
    SessionLog& log;
    ModelCaller& model;
    tools::Dispatcher& dispatcher;
    Ledger& ledger;
    Guard& guard;
    Control& control;
    /// Makes the transcript shorter; whether it did. Absent: it is never made shorter.
    std::function<asio::awaitable<Result<bool>>()> compact;
    /// The key of the workspace as it is; absent where nobody can tell.
    std::function<std::optional<std::string>()> workspace;
    /// Why no command can run at all, once that is known; absent or "" while they can.
    std::function<std::string()> sandbox_missing;
    /// Puts what tools have used of the processor into the ledger; absent: it is not counted.
    std::function<Result<>()> charge_tools;
    /// What is wrong with a final answer; absent where any will do.
    std::function<std::optional<std::string>(std::string_view answer)> find_fault;
    /// Says what the next answer may be, beyond what its tools allow; absent: anything.
    std::function<asio::awaitable<Result<>>(engine::RequestLimits& limits)> guide;
    /// Whether a call can do nothing at all, which no mask of an engine can tell; absent where
    /// calls are not guided. It ends the turn as an edit does that does not pass.
    std::function<bool(const ToolCall& call)> is_idle;
    /// Whether the workspace passes after an edit; nothing when somebody interrupted it. Absent: no
    /// edit is checked before the turn is over.
    std::function<asio::awaitable<Result<std::optional<bool>>>()> check_edit;
    /// Puts a stronger model in place, for `why` ("loop", "no_progress", "engine_error"); whether
    /// there is one.
    std::function<asio::awaitable<Result<bool>>(std::string_view why)> escalate;
    /// What the dispatcher's tools print; null where nobody watches.
    LiveOutput* live_output = nullptr;
  };

  TurnDriver(Services services, TurnLimits limits)
      : services_(std::move(services)), limits_(limits), turn_(limits.rules) {}

  /// A user's message to its answer. The error is the journal's: then nothing is certain any more.
  asio::awaitable<Result<TurnReport>> run(engine::UserSaid message);
  /// The turn that the log was left in the middle of.
  asio::awaitable<Result<TurnReport>> resume();

 private:
  asio::awaitable<Result<TurnReport>> drive(TurnEvent first);
  asio::awaitable<Result<std::optional<TurnEvent>>> perform(const TurnAction& action);
  asio::awaitable<Result<TurnEvent>> compact();
  asio::awaitable<Result<TurnEvent>> pick_up();
  asio::awaitable<Result<TurnEvent>> go_on_behind(Message answer);
  asio::awaitable<Result<TurnEvent>> sample(bool may_call);
  asio::awaitable<Result<TurnEvent>> end_sample(const engine::SampleOutcome& outcome);
  asio::awaitable<Result<TurnEvent>> judge(const Message& answer, engine::FinishReason finish);
  asio::awaitable<Result<TurnEvent>> keep_partial(Message partial, bool has_repeated);
  asio::awaitable<void> shown(asio::awaitable<void> running);
  asio::awaitable<Result<TurnEvent>> run_tools();
  asio::awaitable<Result<TurnEvent>> skip_tools(TurnEnd end);
  asio::awaitable<Result<>> settle(std::string_view why);
  asio::awaitable<Result<>> observe(const std::vector<tools::CallReport>& reports);
  asio::awaitable<Result<>> check_edits(const std::vector<tools::CallReport>& reports);
  asio::awaitable<Result<>> hear(GuardVerdict verdict);
  asio::awaitable<Result<>> remark(Note note);
  asio::awaitable<Result<Boundary>> boundary();
  asio::awaitable<Result<bool>> deliver_steers();
  [[nodiscard]] bool is_context_full() const;
  [[nodiscard]] std::string why(TurnEnd end) const;

  Services services_;
  TurnLimits limits_;
  Turn turn_;
  TurnReport report_;
  bool looping_ = false;
  bool rejected_ = false;
  bool suspended_ = false;
  std::string guard_text_;
  std::string unfit_;  ///< what is wrong with the last answer
};

}  // namespace fathom::agents
