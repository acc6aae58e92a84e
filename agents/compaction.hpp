// Compaction: what is kept of a transcript that has outgrown its context. Pure: the Compactor asks
// for the summary and writes down the outcome.
//
//   [one user message: summary, task, what else must not be lost] [the last exchanges, word for
//   word]
//
// The facts do not depend on the summary. What the user asked for, what runs and what fails stands
// in the session's record, so a model that summarises badly can lose colour, but never the task.
#pragma once

#include "agents/session_state.hpp"
#include "engine/session/engine.hpp"
#include "runtime/base/message.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

/// What has to survive, already shortened to what the new transcript will say.
struct Facts {
  static constexpr std::size_t kListMax = 64;           ///< of each list, the newest
  static constexpr std::size_t kEarlierBytesMax = 400;  ///< of one earlier message
  static constexpr std::size_t kSteerBytesMax = 4096;   ///< of one steer
  static constexpr std::size_t kLineBytesMax = 400;     ///< of a job, an approval or a path

  std::string task;                  ///< of the open turn, verbatim
  std::vector<std::string> steers;   ///< of the open turn
  std::vector<std::string> notes;    ///< of the runtime, that the model has not answered yet
  std::vector<std::string> earlier;  ///< of the turns before
  std::string plan;                  ///< what the model said last
  std::string failing_tests;
  std::vector<std::string> jobs;
  std::vector<std::string> approvals;
  std::vector<std::string> files_changed;
  std::string summary;  ///< of the compaction before; a new summary contains it

  friend bool operator==(const Facts&, const Facts&) = default;
};

/// What only the caller can know.
struct LiveFacts {
  std::vector<std::string> jobs;
  std::string failing_tests;  ///< "": what the last run_tests said
};
[[nodiscard]] Facts gather(const SessionState& state, const LiveFacts& around);

/// In bytes, as only the engine counts tokens.
struct CompactionLimits {
  std::size_t tail_bytes_max = 0;    ///< of the last exchanges
  std::size_t frame_bytes_max = 0;   ///< of the message before them
  std::size_t result_bytes_max = 0;  ///< of one tool result, when truncating
};

/// The message that asks for the summary.
[[nodiscard]] Message summary_question();

[[nodiscard]] std::size_t bytes_of(const Message& message);
[[nodiscard]] std::size_t bytes_of(const engine::Transcript& transcript);

/// The transcript of the next epoch. `bad_data` for an empty summary, `too_large` when the frame is
/// or when less than kGainMin would be gained, and no fact is ever missing.
Result<engine::Transcript> compact(const engine::Transcript& before, const Facts& facts,
                                   std::string_view summary, const CompactionLimits& limits);

/// Where a person or a model finds the whole of a blob; may be empty.
using WholeAt = std::function<std::string(std::string_view blob)>;

/// The same without a model: the oldest exchanges go, and long results are cut in the middle. The
/// last exchange always stays.
Result<engine::Transcript> truncate(const engine::Transcript& before, const Facts& facts,
                                    const CompactionLimits& limits, const WholeAt& whole_at);

/// The first fact that the transcript does not say, "" when it says all.
[[nodiscard]] std::string find_dropped(const engine::Transcript& transcript, const Facts& facts);

inline constexpr double kGainMin = 0.1;  ///< less is not worth a prefix that is read anew

}  // namespace fathom::agents
