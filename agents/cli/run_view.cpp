#include "agents/cli/run_view.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace fathom::agents {
namespace {

constexpr Duration kPrefillLogInterval = std::chrono::seconds(30);
constexpr Duration kPrefillNotedMin = std::chrono::seconds(2);  // shorter ones are not worth a fact
constexpr Duration kStatusTimeMin = std::chrono::seconds(1);
constexpr std::size_t kNoteBytesMax = 2000;
constexpr std::size_t kNoteIndent = 2;
constexpr std::uint64_t kMillisecondsMax = 1ULL << 40U;  // as nanoseconds it is still a Duration
constexpr std::size_t kCallNameBytesMax = 256;
constexpr std::size_t kCallBytesShownMin = 256;

// One line of foreign text that a note is about.
std::string brief(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(text);
  if (lines.empty()) return "";
  std::string line = shown(clip_prefix(lines.front(), kNoteBytesMax));
  return lines.size() > 1 ? line + " (" + counted(lines.size() - 1, "more line") + ")" : line;
}

std::string_view words_for(std::string_view fault) {
  if (fault == "transport") return "engine not reached";
  if (fault == "rate") return "engine busy";
  if (fault == "server") return "engine in trouble";
  if (fault == "format") return "unusable answer";
  return "engine failed";
}

void join(std::string& to, const std::string& part, std::string_view separator) {
  if (part.empty()) return;
  if (!to.empty()) to += separator;
  to += part;
}

}  // namespace

struct RunView::Handler {
  std::string_view type;
  std::string (RunView::*handle)(const EventData&, Instant);
};

RunView::RunView(Options options)
    : options_(std::move(options)),
      style_{options_.columns, options_.paint, options_.marks},
      calls_(options_.verbose ? CallsView::Detail::verbose : CallsView::Detail::folded) {}

std::string RunView::on(std::string_view type, std::string_view data_json, Instant now) {
  static constexpr std::array kHandlers = {
      Handler{"model.delta", &RunView::delta},
      Handler{"model.request", &RunView::request},
      Handler{"prefill.progress", &RunView::progress},
      Handler{"model.message", &RunView::message},
      Handler{"model.retry", &RunView::retry},
      Handler{"model.failed", &RunView::failed},
      Handler{"context.miss", &RunView::miss},
      Handler{"turn.started", &RunView::said},
      Handler{"steer.delivered", &RunView::steered},
      Handler{"guard.noted", &RunView::guarded},
      Handler{"guard.stopped", &RunView::stopped},
      Handler{"compaction.started", &RunView::compacting},
      Handler{"compaction.finished", &RunView::compacted},
      Handler{"compaction.failed", &RunView::not_compacted},
      Handler{"agent.escalated", &RunView::escalated},
      Handler{"agent.attempt", &RunView::attempted},
      Handler{"turn.finished", &RunView::ended},
      Handler{"tool.requested", &RunView::requested},
      Handler{"tool.decided", &RunView::decided},
      Handler{"tool.started", &RunView::started},
      Handler{"tool.output", &RunView::output},
      Handler{"tool.finished", &RunView::finished},
      Handler{"file.changed", &RunView::changed},
      Handler{"sandbox.denied", &RunView::denied},
      Handler{"approval.requested", &RunView::approval_requested},
      Handler{"approval.answered", &RunView::approval_answered},
  };
  const auto* const found = std::ranges::find(kHandlers, type, &Handler::type);
  if (found == kHandlers.end()) return "";
  std::string text = (this->*found->handle)(EventData(data_json), now);
  if (!text.empty()) {
    has_printed_ = true;
    in_line_ = !text.ends_with('\n');
  }
  return text;
}

// --- what the model says -------------------------------------------------------------------------

// Leaves the words' line when the cursor is inside one; what follows is on a line of its own.
std::string RunView::end_words() {
  std::string out = thoughts_.end(style_) + words_.end(style_);
  if (in_line_ || !out.empty()) out += '\n';
  in_line_ = false;
  calls_.interrupt();
  return out;
}

bool RunView::is_in_words() const {
  return in_line_ || words_.has_begun() || thoughts_.has_begun();
}

// So that the status has a line to stand in.
std::string RunView::leave_line() { return is_in_words() ? end_words() : ""; }

// Lines of the calls, which know by themselves which of them stand together.
std::string RunView::behind_words(const std::string& lines) {
  return lines.empty() || !is_in_words() ? lines : end_words() + lines;
}

std::string RunView::note(Colour colour, Mark mark, std::string_view text) {
  return end_words() + style_.whole_line(colour, kNoteIndent,
                                         std::string(style_.mark(mark)) + " " + std::string(text));
}

// A block of words stands behind an empty line.
std::string RunView::say_words(WordStream& stream, std::string_view text) {
  const bool had_begun = stream.has_begun();
  WordStream& other = &stream == &words_ ? thoughts_ : words_;
  std::string words = stream.feed(text, style_);
  if (had_begun || !stream.has_begun()) return words;
  std::string before = other.end(style_);
  if (in_line_ || !before.empty()) before += '\n';
  if (has_printed_) before += '\n';
  calls_.interrupt();
  has_printed_ = true;
  in_line_ = true;  // a word that is held back in a colour belongs to this line
  return before + words;
}

std::string RunView::end_thought(Instant now) {
  if (!sample_.thinking) return "";
  const Duration took = now - *std::exchange(sample_.thinking, std::nullopt);
  const std::uint64_t words = std::exchange(sample_.thought, {}).words();
  if (options_.verbose) return "";
  return end_words() + style_.line(Colour::dim, kNoteIndent,
                                   "thought for " + time_of(took) +
                                       std::string(style_.separator()) + counted(words, "word"));
}

std::string RunView::request(const EventData& data, Instant now) {
  // What an attempt that failed has said is not part of the answer.
  sample_ = {};
  sample_.asked = now;
  phase_ = Phase::asking;
  since_ = now;
  if (!options_.verbose) return "";
  const std::uint64_t attempt = data.count("attempt").value_or(1);
  return attempt < 2 ? "" : note(Colour::dim, Mark::warns, "attempt " + grouped(attempt));
}

std::string RunView::delta(const EventData& data, Instant now) {
  const std::string kind = data.text("kind");
  const std::string text = data.text("text");
  if (!sample_.began) sample_.began = now;
  if (text.empty() && !kind.starts_with("call_")) return "";
  if (kind == "reasoning") {
    sample_.has_reasoning = true;
    if (!sample_.thinking) sample_.thinking = now;
    sample_.thought.add(text);
    if (phase_ != Phase::thinking) since_ = now;
    phase_ = Phase::thinking;
    return options_.verbose ? say_words(thoughts_, text) : leave_line();
  }
  if (kind == "text") {
    sample_.text.add(text);
    if (phase_ != Phase::writing) since_ = now;
    phase_ = Phase::writing;
    std::string out = end_thought(now);
    if (!out.empty()) has_printed_ = true;
    return out + say_words(words_, text);
  }
  if (!kind.starts_with("call_")) return "";
  if (phase_ != Phase::writing) since_ = now;
  phase_ = Phase::writing;
  if (kind == "call_started")
    sample_.call_name = clip_prefix(text, kCallNameBytesMax);
  else
    sample_.call_bytes += text.size();
  std::string out = end_thought(now);
  return out + leave_line();
}

// What was not streamed, or got lost on the way: deltas may be dropped, the message may not.
std::string RunView::rest_of_answer(const EventData& data) {
  if (!data.has("text")) return "";
  const EventText answer = data.body("text");
  if (answer.is_whole) {
    if (sample_.text.is_start_of(answer.text))
      return say_words(words_, std::string_view(answer.text).substr(sample_.text.bytes()));
    std::string out = note(Colour::yellow, Mark::warns,
                           "some of these words were lost on the way; the whole answer is:");
    has_printed_ = true;
    return out + say_words(words_, answer.text);
  }
  if (sample_.text.bytes() >= answer.bytes) return "";
  std::string out;
  std::uint64_t come = sample_.text.bytes();
  if (come == 0) {
    out = say_words(words_, answer.text);
    come = answer.text.size();
  }
  if (come >= answer.bytes) return out;
  return out + note(Colour::dim, Mark::more,
                    format_bytes(answer.bytes - come) + " more of this answer are in the trace");
}

std::string RunView::message(const EventData& data, Instant now) {
  std::string out;
  const EventText reasoning = data.body("reasoning");
  if (reasoning.bytes > 0 && !sample_.has_reasoning) {
    if (options_.verbose) {
      out += say_words(thoughts_, reasoning.text);
    } else {
      WordCount thought;
      thought.add(reasoning.text);
      out += end_words() + style_.line(Colour::dim, kNoteIndent,
                                       "thought" + std::string(style_.separator()) +
                                           (reasoning.is_whole ? counted(thought.words(), "word")
                                                               : format_bytes(reasoning.bytes)));
      has_printed_ = true;
    }
  }
  const std::string thought = end_thought(now);
  if (!thought.empty()) has_printed_ = true;
  out += thought;
  out += rest_of_answer(data);
  out += end_words();
  const std::string finish = data.text("finish");
  if (finish == "length")
    out +=
        note(Colour::yellow, Mark::warns, "the answer was cut off: it reached its greatest length");
  if (finish == "interrupted") out += note(Colour::yellow, Mark::stopped, "interrupted here");
  if (const std::string repaired = data.text("repaired"); options_.verbose && !repaired.empty())
    out += note(Colour::dim, Mark::warns, "repaired: " + brief(repaired));
  out += usage_line(data, now);
  calls_.on_planned(data);
  phase_ = Phase::idle;
  sample_ = {};
  return out;
}

std::string RunView::usage_line(const EventData& data, Instant now) const {
  const EventData usage = data.object("usage");
  const std::uint64_t prompt = usage.count("prompt_tokens").value_or(0);
  const std::uint64_t generated = usage.count("completion_tokens").value_or(0);
  const std::uint64_t reused = std::min(prompt, usage.count("reused_tokens").value_or(0));
  if (prompt == 0 && generated == 0) return "";
  const std::string_view separator = style_.separator();
  std::string text = "prompt " + grouped(prompt);
  join(text, "reused " + grouped(reused) + " (" + percent_of(reused, prompt) + ")", separator);
  const bool was_long = sample_.reading && sample_.read_at - sample_.asked >= kPrefillNotedMin;
  if (was_long) join(text, "prefill " + time_of(sample_.read_at - sample_.asked), separator);
  join(text, "generated " + grouped(generated), separator);
  const std::string rate = sample_.began ? rate_of(generated, now - *sample_.began) : "";
  if (!rate.empty()) join(text, rate + " t/s", separator);
  if (const auto cost = data.number("cost_usd")) join(text, usd_of(*cost), separator);
  return style_.whole_line(Colour::dim, kNoteIndent, text);
}

// --- how the engine fares ------------------------------------------------------------------------

std::string RunView::reading_text() const {
  std::string text = "reading " + grouped(sample_.read) + " of " + grouped(sample_.to_read) +
                     " tokens (" + percent_of(sample_.read, sample_.to_read) + ")";
  if (!sample_.reading) return text;
  // What was there at the first report was not read since.
  const std::uint64_t count = sample_.read - std::min(sample_.read, sample_.read_at_first);
  const std::string rate = rate_of(count, sample_.read_at - *sample_.reading);
  return rate.empty() || count == 0 ? text : text + std::string(style_.separator()) + rate + " t/s";
}

std::string RunView::progress(const EventData& data, Instant now) {
  const auto done = data.count("done");
  const auto total = data.count("total");
  if (!done || !total) return "";
  if (!sample_.reading) {
    sample_.reading = now;
    sample_.read_at_first = *done;
    last_log_ = now;
  }
  sample_.read = *done;
  sample_.to_read = *total;
  sample_.read_at = now;
  phase_ = Phase::reading;
  // A log has no line to rewrite, and its reader wants to know that it goes on.
  if (options_.is_terminal || now - last_log_ < kPrefillLogInterval) return "";
  last_log_ = now;
  return end_words() + style_.line(Colour::dim, kNoteIndent, reading_text());
}

std::string RunView::retry(const EventData& data, Instant now) {
  const std::string fault = data.text("class");
  const std::uint64_t ms = std::min(data.count("wait_ms").value_or(0), kMillisecondsMax);
  const Duration wait = std::chrono::milliseconds(ms);
  phase_ = Phase::waiting;
  since_ = now;
  retry_at_ = now + wait;
  std::string text =
      std::string(words_for(fault)) + " (" + brief(fault) + "): asking again in " + time_of(wait);
  std::string out = end_thought(now);
  out += note(Colour::yellow, Mark::warns, text);
  const std::string why = brief(data.text("message"));
  if (!why.empty()) out += style_.whole_line(Colour::dim, kNoteIndent + 2, why);
  sample_ = {};
  return out;
}

std::string RunView::failed(const EventData& data, Instant now) {
  phase_ = Phase::idle;
  const std::string fault = data.text("class");
  std::string out = end_thought(now);
  sample_ = {};
  return out + note(Colour::red, Mark::failed,
                    std::string(words_for(fault)) + " (" + brief(fault) +
                        "): " + brief(data.text("message")));
}

std::string RunView::miss(const EventData& data, Instant /*now*/) {
  std::string text = grouped(data.count("expected_tokens").value_or(0)) +
                     " tokens should have been reused, " +
                     grouped(data.count("reused_tokens").value_or(0)) + " were";
  if (const std::string reason = brief(data.text("reason")); !reason.empty()) text += ": " + reason;
  std::string place;
  if (data.text("part") == "setup") place = "in the setup";
  if (const auto message = data.count("message")) place = "in message " + grouped(*message);
  if (const auto owner = data.count("owner")) place += ", written by event " + grouped(*owner);
  if (const auto byte = data.count("byte"); byte && !place.empty())
    place += ", byte " + grouped(*byte);
  if (!place.empty()) text += " (" + place + ")";
  return note(Colour::yellow, Mark::warns, text);
}

// --- what others say -----------------------------------------------------------------------------

std::string RunView::said(const EventData& data, Instant /*now*/) {
  if (!options_.verbose) return "";
  return end_words() + style_.line(Colour::bold, 0, "> " + brief(data.text("text")));
}

std::string RunView::steered(const EventData& data, Instant /*now*/) {
  return note(Colour::cyan, Mark::steered,
              "your message was delivered: " + brief(data.text("text")));
}

std::string RunView::guarded(const EventData& data, Instant /*now*/) {
  std::string guard = data.text("guard");
  std::ranges::replace(guard, '_', ' ');
  return note(Colour::yellow, Mark::warns,
              "told the model (" + brief(guard) + "): " + brief(data.text("text")));
}

std::string RunView::stopped(const EventData& data, Instant /*now*/) {
  return note(Colour::red, Mark::failed,
              "stopped, because the model goes in circles: " + brief(data.text("guard")));
}

std::string RunView::compacting(const EventData& data, Instant now) {
  phase_ = Phase::compacting;
  since_ = now;
  const std::string why = brief(data.text("why"));
  return note(Colour::dim, Mark::more,
              "making the transcript shorter" + (why.empty() ? "" : ": " + why));
}

std::string RunView::compacted(const EventData& data, Instant /*now*/) {
  phase_ = Phase::idle;
  if (std::exchange(forgets_, false)) return "";  // an attempt, which was said already
  std::string text = "the transcript was made shorter";
  const std::size_t count = data.objects("messages", kNoteBytesMax).size();
  if (count > 0) text += ": " + counted(count, "message") + " stand for what was said";
  return note(Colour::dim, Mark::done, text);
}

std::string RunView::not_compacted(const EventData& data, Instant /*now*/) {
  phase_ = Phase::idle;
  return note(Colour::yellow, Mark::warns,
              "the transcript could not be made shorter: " + brief(data.text("why")));
}

std::string RunView::escalated(const EventData& data, Instant /*now*/) {
  const std::string why = " (" + brief(data.text("why")) + ")";
  if (data.has("failed"))
    return note(Colour::yellow, Mark::warns,
                "the model " + brief(data.text("to")) + " could not take over" + why + ": " +
                    brief(data.text("failed")));
  return note(Colour::cyan, Mark::steered, brief(data.text("to")) + " takes over" + why);
}

std::string RunView::attempted(const EventData& data, Instant /*now*/) {
  forgets_ = data.flag("again").value_or(false);
  const std::uint64_t of = data.count("of").value_or(1);
  if (of < 2) return "";
  const std::string which =
      "attempt " + grouped(data.count("n").value_or(0)) + " of " + grouped(of);
  if (data.flag("accepted").value_or(false))
    return note(Colour::green, Mark::done, which + ": the check passes");
  const bool passes = data.flag("passed").value_or(false);
  return note(Colour::yellow, Mark::failed,
              which + ": the check " +
                  (passes ? "passes, as it did before"
                          : "ended with " + brief(data.text("ending")) +
                                ", what was changed is taken back"));
}

std::string RunView::ended(const EventData& /*data*/, Instant now) {
  phase_ = Phase::idle;
  return end_thought(now) + end_words();
}

// --- calls ---------------------------------------------------------------------------------------

std::string RunView::requested(const EventData& data, Instant now) {
  std::string out = end_words();
  return out + calls_.on_requested(data, now, style_);
}

std::string RunView::decided(const EventData& data, Instant /*now*/) {
  calls_.on_decided(data);
  return "";
}

std::string RunView::started(const EventData& data, Instant now) {
  calls_.on_started(data, now);
  return "";
}

std::string RunView::output(const EventData& data, Instant /*now*/) {
  calls_.on_output(data);
  return "";
}

std::string RunView::changed(const EventData& data, Instant /*now*/) {
  calls_.on_changed(data);
  return "";
}

std::string RunView::denied(const EventData& data, Instant /*now*/) {
  calls_.on_denied(data);
  return "";
}

std::string RunView::approval_requested(const EventData& data, Instant /*now*/) {
  return behind_words(calls_.on_approval_requested(data, style_));
}

std::string RunView::approval_answered(const EventData& data, Instant /*now*/) {
  return behind_words(calls_.on_approval_answered(data, style_));
}

std::string RunView::finished(const EventData& data, Instant now) {
  return behind_words(calls_.on_finished(data, now, style_));
}

// --- what is under way ---------------------------------------------------------------------------

std::string RunView::status(Instant now) const {
  if (!options_.is_terminal || in_line_) return "";
  std::string text;
  bool has_time = true;
  switch (phase_) {
    case Phase::idle:
      text = calls_.status(now, style_);
      has_time = false;
      break;
    case Phase::asking:
      text = "waiting for the model";
      break;
    case Phase::reading:
      text = reading_text();
      has_time = false;
      break;
    case Phase::thinking:
      text =
          "thinking" + std::string(style_.separator()) + counted(sample_.thought.words(), "word");
      break;
    case Phase::writing:
      text = "writing";
      if (!sample_.call_name.empty()) text += " a call of " + shown(sample_.call_name);
      if (sample_.call_bytes >= kCallBytesShownMin)
        text += std::string(style_.separator()) + format_bytes(sample_.call_bytes);
      break;
    case Phase::waiting:
      text = "asking again in " + time_of(retry_at_ - now);
      has_time = false;
      break;
    case Phase::compacting:
      text = "making the transcript shorter";
      break;
  }
  if (text.empty()) return "";
  if (has_time && now - since_ >= kStatusTimeMin)
    text += std::string(style_.separator()) + time_of(now - since_);
  const std::string_view spinner = style_.spinner(now);
  // A cursor behind the last column would be in the next line: one column stays free.
  const std::size_t indent = columns_of(spinner) + 2;
  return style_.painted(Colour::cyan, spinner) + " " +
         style_.painted(Colour::dim, style_.fitted(text, indent));
}

std::string RunView::summary(const RunEnd& end) {
  std::string out = end_words();
  if (has_printed_) out += '\n';
  has_printed_ = true;
  return out + summary_of(end, style_);
}

}  // namespace fathom::agents
