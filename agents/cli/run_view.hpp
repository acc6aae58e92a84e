// RunView: what a person sees of a run, as a pure function of its events.
//
// What it gives is of two kinds. Permanent text is printed where the cursor stands and stays. The
// status is one line that stands below it while something is under way: whoever prints removes it
// before permanent text and draws it anew behind. While the model's words leave the cursor inside a
// line there is no status. What came of the same events is the same text, live or from a journal;
// the pieces in which a model's words arrive make no difference.
#pragma once

#include "agents/cli/run_view_calls.hpp"
#include "agents/cli/run_view_data.hpp"
#include "agents/cli/run_view_style.hpp"
#include "agents/cli/run_view_summary.hpp"
#include "agents/cli/run_view_words.hpp"
#include "runtime/async/clock.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::agents {

class RunView {
 public:
  struct Options {
    std::size_t columns = 0;  ///< of the terminal; 0 where there is none
    std::function<std::string(Colour, std::string_view)> paint;  ///< Terminal::paint; absent: plain
    MarkSet marks = MarkSet::unicode;                            ///< marks_for(env)
    bool is_terminal =
        false;             ///< else there is no status, and long prefills say lines of their own
    bool verbose = false;  ///< reasoning in full, more of each result, every note
  };

  explicit RunView(Options options);

  /// Permanent text to print now, "" for none. Types that are not known and data that is broken
  /// give none; whatever an event holds, nothing but line ends, tabs and our colours controls the
  /// terminal.
  [[nodiscard]] std::string on(std::string_view type, std::string_view data_json, Instant now);
  /// The line to rewrite, without its line end and short enough for the terminal; "" for none.
  [[nodiscard]] std::string status(Instant now) const;
  /// The terminal has another width now; what is printed already stays as it is.
  void resize(std::size_t columns) { style_.columns = columns; }
  /// The end of the run; permanent text.
  [[nodiscard]] std::string summary(const RunEnd& end);

 private:
  enum class Phase : std::uint8_t { idle, asking, reading, thinking, writing, waiting, compacting };
  struct Sample {
    SeenText text;
    bool has_reasoning = false;
    WordCount thought;
    Instant asked{};
    std::optional<Instant> reading;  ///< the first progress of a prefill
    std::uint64_t read_at_first = 0;
    std::uint64_t read = 0;
    std::uint64_t to_read = 0;
    Instant read_at{};
    std::optional<Instant> thinking;
    std::optional<Instant> began;  ///< the first word, thought or call
    std::string call_name;         ///< of the call that is being written
    std::uint64_t call_bytes = 0;
  };
  struct Handler;

  std::string request(const EventData& data, Instant now);
  std::string delta(const EventData& data, Instant now);
  std::string progress(const EventData& data, Instant now);
  std::string message(const EventData& data, Instant now);
  std::string retry(const EventData& data, Instant now);
  std::string failed(const EventData& data, Instant now);
  std::string miss(const EventData& data, Instant now);
  std::string said(const EventData& data, Instant now);
  std::string steered(const EventData& data, Instant now);
  std::string guarded(const EventData& data, Instant now);
  std::string stopped(const EventData& data, Instant now);
  std::string compacting(const EventData& data, Instant now);
  std::string compacted(const EventData& data, Instant now);
  std::string not_compacted(const EventData& data, Instant now);
  std::string escalated(const EventData& data, Instant now);
  std::string attempted(const EventData& data, Instant now);
  std::string ended(const EventData& data, Instant now);
  std::string requested(const EventData& data, Instant now);
  std::string decided(const EventData& data, Instant now);
  std::string started(const EventData& data, Instant now);
  std::string output(const EventData& data, Instant now);
  std::string changed(const EventData& data, Instant now);
  std::string denied(const EventData& data, Instant now);
  std::string approval_requested(const EventData& data, Instant now);
  std::string approval_answered(const EventData& data, Instant now);
  std::string finished(const EventData& data, Instant now);

  std::string say_words(WordStream& stream, std::string_view text);
  std::string rest_of_answer(const EventData& data);
  std::string end_thought(Instant now);
  std::string end_words();
  [[nodiscard]] bool is_in_words() const;
  std::string leave_line();
  std::string behind_words(const std::string& lines);
  std::string note(Colour colour, Mark mark, std::string_view text);
  [[nodiscard]] std::string usage_line(const EventData& data, Instant now) const;
  [[nodiscard]] std::string reading_text() const;

  Options options_;
  ViewStyle style_;
  CallsView calls_;
  WordStream words_{WordStream::Look::plain};
  WordStream thoughts_{WordStream::Look::dim};
  Phase phase_ = Phase::idle;
  Sample sample_;
  Instant since_{};  ///< of the phase
  Instant retry_at_{};
  Instant last_log_{};  ///< of a line on a long prefill
  bool has_printed_ = false;
  bool forgets_ = false;  ///< an attempt: the transcript as it was comes next
  bool in_line_ = false;  ///< words have left the cursor inside a line
};

}  // namespace fathom::agents
