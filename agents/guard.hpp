// Guard: notices when an agent goes round in circles. It steers first and stops second: the first
// time it has a note for the model, the next time the turn ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

/// One call of a step. Keys are digests: equal texts have equal keys.
struct CallFact {
  std::string tool;
  std::string call;    ///< of name and arguments
  std::string result;  ///< of the content
  bool failed = false;

  friend bool operator==(const CallFact&, const CallFact&) = default;
};

struct StepFacts {
  std::vector<CallFact> calls;
  /// Of the workspace and of the tests that fail; absent where nobody looked, and then no step is
  /// one without progress.
  std::optional<std::string> workspace;
  std::optional<std::string> failing_tests;
};

struct GuardVerdict {
  enum class Kind : std::uint8_t { none, note, stop };
  Kind kind = Kind::none;
  std::string guard;  ///< "same_call", "same_error", "alternating", "no_progress", "repetition"
  std::string text;   ///< a note for the model
};

class Guard {
 public:
  static constexpr std::size_t kSameMax = 3;          ///< a call with its result, in a row
  static constexpr std::size_t kSameErrorMax = 3;     ///< an error, whatever was called, in a row
  static constexpr std::size_t kAlternationsMax = 3;  ///< A-B pairs in a row, with their results
  static constexpr std::size_t kIdleStepsMax = 25;    ///< steps without progress

  GuardVerdict observe(const StepFacts& step);
  /// Generation repeated itself (RepetitionWatch).
  GuardVerdict repeated();

 private:
  struct Suspicion {
    std::string guard;
    std::string text;
  };
  [[nodiscard]] std::optional<Suspicion> circles() const;
  std::optional<Suspicion> idle(const StepFacts& step);
  GuardVerdict verdict(std::optional<Suspicion> suspicion);

  std::deque<CallFact> recent_;  ///< newest last
  std::string workspace_;
  std::string failing_tests_;
  std::size_t idle_steps_ = 0;
  std::vector<std::string> noted_;  ///< guards that had their say
};

/// Watches text while it is generated: a passage that comes again and again without anything
/// between is a model that is caught.
class RepetitionWatch {
 public:
  static constexpr std::size_t kPassageBytesMin = 150;  ///< about 50 tokens
  static constexpr std::size_t kPassageBytesMax = 2000;
  static constexpr std::size_t kRepeatsMax = 4;

  /// True once the tail of all text so far is one passage, kRepeatsMax times.
  bool feed(std::string_view text);

 private:
  [[nodiscard]] bool is_caught() const;
  std::string tail_;
  std::size_t unseen_ = 0;  ///< bytes since the last look
};

}  // namespace fathom::agents
