// SessionState: what a session is at this moment, as the fold over its events. The running program
// and one that resumes it after a crash come to the same state, because both only apply events.
#pragma once

#include "agents/attempts_record.hpp"
#include "agents/ledger.hpp"
#include "agents/run_start.hpp"
#include "agents/session_record.hpp"
#include "engine/session/session_events.hpp"
#include "runtime/base/result.hpp"
#include "runtime/trace/blob_store.hpp"
#include "runtime/trace/event.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

/// A call that the model made and that has no result in the transcript yet.
struct PendingCall {
  ToolCall call;
  bool started = false;          ///< it may have done something
  bool asked = false;            ///< it waits for an approval
  std::optional<bool> approved;  ///< what the answer was, when one came
  std::optional<ToolResult> result;
};

class SessionState {
 public:
  /// `seq` is the event's place in the journal.
  void apply(const engine::SessionEvent& event, std::uint64_t seq);
  /// The same from an event of the trace, of whatever type; those that say how far a pending call
  /// has come count as well, all others are passed over. Errors: those of engine::decode.
  Result<> apply_trace(const trace::Event& event, const trace::BlobStore& blobs);

  [[nodiscard]] const std::optional<engine::AgentStarted>& started() const { return started_; }
  /// Absent where the journal does not say it. A fork has no transaction before it goes on.
  [[nodiscard]] const std::optional<RunStart>& start() const { return start_; }
  /// Whether it began as a fork, and has not gone on yet.
  [[nodiscard]] bool is_fresh_fork() const { return is_fresh_fork_; }
  /// Sub-agents above it, itself included.
  [[nodiscard]] std::size_t depth() const { return depth_; }
  /// What the run may spend; absent in journals that do not say it.
  [[nodiscard]] const std::optional<Budget>& budget() const { return budget_; }
  [[nodiscard]] const engine::Transcript& transcript() const { return transcript_; }
  /// The event that owns a message of the transcript.
  [[nodiscard]] std::uint64_t owner(std::size_t message) const { return owners_.at(message); }
  [[nodiscard]] const std::vector<PendingCall>& pending() const { return pending_; }
  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::uint64_t turns() const { return turns_; }
  [[nodiscard]] bool is_turn_open() const { return turn_open_; }
  [[nodiscard]] const std::optional<engine::TurnEnded>& last_end() const { return last_end_; }
  /// Since the run began, in all its turns; what a fork is a copy of was another run's to pay.
  [[nodiscard]] const Spent& spent() const { return spent_; }
  /// The engine that took over, "" when it could not; absent before.
  [[nodiscard]] const std::optional<std::string>& escalated_to() const { return escalated_to_; }
  /// How long the run has been at work, by the times in its journal: not while it lay there.
  [[nodiscard]] Duration worked() const { return worked_; }
  /// Of the turn that is open or was last: its first message, as the user wrote it.
  [[nodiscard]] const std::string& task() const { return task_; }
  /// What outlives compactions.
  [[nodiscard]] const SessionRecord& record() const { return record_; }
  /// Sub-agents that were started since the run began, likewise.
  [[nodiscard]] std::uint64_t tasks() const { return tasks_; }
  /// The verified attempts that are under way or were last.
  [[nodiscard]] const std::optional<AttemptsRecord>& attempts() const { return attempts_; }

 private:
  void say(Message message, std::uint64_t seq);
  void settle_calls(std::uint64_t seq);
  void apply_progress(std::string_view type, std::string_view data);
  void apply_summary(std::string_view data);
  void apply_agent(std::string_view type, std::string_view data);
  void apply_run(std::string_view type, std::string_view data);
  void apply_time(const trace::Event& event);

  std::optional<engine::AgentStarted> started_;
  std::optional<RunStart> start_;
  bool is_fresh_fork_ = false;
  std::size_t depth_ = 0;
  std::optional<Budget> budget_;
  engine::Transcript transcript_;
  std::vector<std::uint64_t> owners_;
  std::vector<PendingCall> pending_;
  std::uint64_t requests_ = 0;
  std::uint64_t turns_ = 0;
  bool turn_open_ = false;
  std::optional<engine::TurnEnded> last_end_;
  Spent spent_;
  std::optional<std::string> escalated_to_;
  Duration worked_{};
  std::optional<WallTime> last_at_work_;  ///< the last event of a run that goes on
  std::string task_;
  SessionRecord record_;
  std::uint64_t tasks_ = 0;
  std::optional<AttemptsRecord> attempts_;
};

/// What the journal of a session adds up to. Errors: those of reading it, and `bad_data` for a
/// journal that holds no session.
Result<SessionState> read_session(const std::filesystem::path& journal,
                                  const trace::BlobStore& blobs);

}  // namespace fathom::agents
