// AttemptsRecord: how far the verified attempts at a task have come, as the fold over their events.
//
//   agent.attempts {of, snapshot, task}                         they begin
//   agent.attempts {…, passed, exit_code, ending}               and the check before the first one
//   turn.started … turn.finished                                an attempt is a turn
//   agent.attempt {n, of, end, verdict, accepted, …, again}     and what the check said of it
//   compaction.finished                                         with `again`: the transcript as it
//                                                               was before the first attempt, or
//                                                               before this one's first change
#pragma once

#include "agents/session_record.hpp"
#include "engine/session/engine.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::agents {

enum class AttemptVerdict : std::uint8_t {
  accepted,  ///< the check failed before and passes now
  /// It passes now and passed before: it cannot tell whether anything was achieved. Nobody calls
  /// that a success, and more attempts would not make it one.
  unproven,
  refused,  ///< it fails: the attempt was taken back
};
[[nodiscard]] std::string_view name_of(AttemptVerdict verdict);

struct AttemptsRecord {
  std::uint64_t of = 0;
  std::string snapshot;                   ///< of the workspace before the first
  bool checked = false;                   ///< the check has run, before the first
  bool passed_before = false;             ///< it passed then
  std::uint64_t ended = 0;                ///< attempts with a verdict
  std::optional<AttemptVerdict> verdict;  ///< of the last of them
  std::string task;                       ///< as the first attempt was told
  bool open = true;                       ///< an attempt is under way, or has to be
  bool has_turned = false;                ///< its turn has ended, but there is no verdict yet
  bool must_forget = false;               ///< it was refused, and the transcript still has it
  /// As they were before the first.
  engine::Transcript transcript;
  SessionRecord record;
  /// Of the attempt that is under way or ended last: before the first of its calls that could have
  /// changed something. Running the tests is none.
  struct Kept {
    std::size_t messages = 0;
    SessionRecord record;
  };
  std::optional<Kept> kept;
  bool has_changed = false;  ///< such a call has begun, even if a compaction took `kept` away

  static AttemptsRecord began(std::string_view data, const engine::Transcript& transcript,
                              const SessionRecord& record);
  void end_attempt(std::string_view data);
  void begin_turn(const std::string& text);
  void end_turn(std::string_view reason);
  /// The transcript was made anew. What an attempt changed is taken back with it, but what a user
  /// said meanwhile was said, and what the model called it has called.
  /// `messages` are left of it.
  void forget_attempt(SessionRecord& now, std::size_t messages);
  /// A call that may change something is about to run, of the last of `messages`.
  void begin_change(const SessionRecord& now, std::size_t messages);
};

}  // namespace fathom::agents
