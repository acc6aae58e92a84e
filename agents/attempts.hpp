// Attempts: does a task again until a machine check accepts it, or nobody wants to try any more.
//
//   mark ─► check (before) ─► turn ─► check ─┬─ passes ─► accepted, or unproven
//                              ▲             └─ fails ──► go back ─► try again?
//                              └── the transcript as it was ◄────────────┘
//
// Success is a check that was seen failing and then passing. One that passes before the first
// attempt proves nothing by passing afterwards: the work stays, as it broke nothing, but it is
// called unproven and never accepted.
//
// Every attempt that the check refuses is taken back, the last one too: what is left in a workspace
// has passed. A restore is a snapshot as well (`work` in its event), so nothing is lost.
//
// Each attempt is a turn. A refused one leaves the transcript as a compaction does, by an event
// with the transcript as it was before its first change, so a session is resumed from its events
// here as everywhere, and the next attempt knows nothing of the change and draws with another seed.
// What was read before it stays: an engine that samples here has it resident, and its answer is
// the first thing that the attempts do not share.
#pragma once

#include "agents/attempts_record.hpp"
#include "agents/session_log.hpp"
#include "agents/turn_driver.hpp"
#include "runtime/base/result.hpp"
#include "sandbox/outcome.hpp"
#include "tools/git/restore.hpp"

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kNotRestoredNamedMax = 100;  // in one event

/// How the check ended.
struct CheckEnd {
  bool passed = false;
  std::optional<int> exit_code;  ///< absent when it did not come to its own end
  std::string ending;            ///< "exit code 1", "stopped: deadline of 2000 ms"
  std::string said;              ///< the last line that it wrote; "" for none
};
/// A check that could not be run is no answer: `not_found` for a program that is not there, `io`
/// when the sandbox broke. `command` is its first word, for the error.
Result<CheckEnd> check_end(const sandbox::Outcome& outcome, std::string_view command);

/// What a refused attempt left behind.
struct WentBack {
  std::string work;  ///< a snapshot of what it had done
  std::vector<tools::NotRestored> not_restored;
};

struct AttemptsReport {
  TurnReport turn;  ///< of the last attempt
  /// Absent when it was stopped, or waits for an approval, before there was a verdict.
  std::optional<AttemptVerdict> verdict;
  std::uint64_t attempts = 0;  ///< that have a verdict
  bool passed_before = false;
  CheckEnd check;                                ///< the last one
  std::vector<tools::NotRestored> not_restored;  ///< of the last attempt
  std::string why;                               ///< one line for a person, unless it was accepted
};

class Attempts {
 public:
  struct Services {
    SessionLog& log;
    /// Nothing when somebody interrupted it.
    std::function<asio::awaitable<Result<std::optional<CheckEnd>>>()> check;
    /// Names the workspace as it is.
    std::function<asio::awaitable<Result<std::string>>()> mark;
    std::function<asio::awaitable<Result<WentBack>>(const std::string& mark)> go_back;
    /// A turn with another seed for each `attempt`, from 0. `repeated`: the transcript has `text`
    /// and what was read because of it.
    std::function<asio::awaitable<Result<TurnReport>>(std::string text, std::uint64_t attempt,
                                                      bool repeated)>
        turn;
    /// Goes on with the turn that was left open.
    std::function<asio::awaitable<Result<TurnReport>>(std::uint64_t attempt)> go_on;
    /// The interruption of a check has been heard; may be empty.
    std::function<void()> stopped;
    /// The model forgets what it has heard since the first change of the attempt; may be empty.
    std::function<void()> rewind;
  };

  /// `of` attempts at most, at least one. `until_passing`: where the check passes before the first
  /// one there is nothing to do, and nothing is done.
  Attempts(Services services, std::uint64_t of, bool until_passing = false)
      : services_(std::move(services)), of_(of), until_passing_(until_passing) {}

  /// The error is the journal's, the check's when it cannot be run or does not end, or the mark's;
  /// when it comes before the first attempt, nothing was done.
  asio::awaitable<Result<AttemptsReport>> run(std::string text);
  /// Those that the log was left in the middle of; `usage` when there are none.
  asio::awaitable<Result<AttemptsReport>> resume();

 private:
  [[nodiscard]] nlohmann::ordered_json begun(const std::string& mark) const;
  asio::awaitable<Result<AttemptsReport>> check_before(std::string mark);
  asio::awaitable<Result<AttemptsReport>> drive(std::optional<TurnReport> ended);
  asio::awaitable<Result<TurnReport>> next_turn();
  asio::awaitable<Result<bool>> judge(AttemptsReport& report);
  asio::awaitable<Result<>> forget();
  [[nodiscard]] std::string next_text() const;
  Result<> write(std::string_view type, std::string data);
  [[nodiscard]] const AttemptsRecord& record() const { return *services_.log.state().attempts(); }

  Services services_;
  std::uint64_t of_;
  bool until_passing_;
  std::string text_;  ///< of the first attempt, before it begins
};

/// Whether another attempt could end otherwise: not when nobody answers, nobody pays, or somebody
/// said stop.
[[nodiscard]] bool may_try_again(const TurnReport& turn);

}  // namespace fathom::agents
