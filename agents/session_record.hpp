// SessionRecord: what a session must never forget, whatever becomes of its transcript. It is folded
// from the events beside the transcript, and compactions do not touch it.
#pragma once

#include "engine/session/session_events.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace fathom::agents {

struct SessionRecord {
  static constexpr std::size_t kFilesMax = 500;       ///< the newest ones
  static constexpr std::size_t kTextBytesMax = 4096;  ///< of `tests` and of `plan`

  struct Said {
    engine::UserSaid words;  ///< of a turn or a steer: the notes of guards are not a user's
    std::uint64_t seq = 0;
  };

  void apply(const engine::SessionEvent& event, std::uint64_t seq);
  void apply_change(std::string path);

  /// The seq of the user's message with this key; nothing when none has it, or it is empty.
  [[nodiscard]] std::optional<std::uint64_t> delivered(const std::string& key) const;

  std::vector<Said> said;                  ///< since the session began
  std::vector<std::string> files_changed;  ///< by tools, each once, the newest last
  std::string tests;                       ///< what the last run_tests said, cut in the middle
  /// Whether the tests pass; absent before they were run, and after a change.
  std::optional<bool> tests_pass;
  std::string plan;  ///< the last words of the model in the turn, likewise
  std::set<std::string, std::less<>> call_ids;   ///< of all calls ever, also of epochs gone by
  std::uint64_t turn_steps = 0;                  ///< samples of the turn that is open or was last
  std::optional<engine::AnswerEnd> last_answer;  ///< of that turn

 private:
  std::vector<std::string> test_calls_;  ///< ids of run_tests without a result
};

}  // namespace fathom::agents
