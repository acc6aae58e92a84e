#include "agents/compaction.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace fathom::agents {
namespace {

constexpr std::string_view kOpening =
    "This session was made shorter, because its context was full. What must not be forgotten "
    "stands here; what follows are the last steps, word for word. Look before you rely on the "
    "content of a file that you remember.\n";
constexpr std::string_view kSummary = "\n# Summary\n";
constexpr std::string_view kTask = "\n# Task, in the user's words\n";
constexpr std::string_view kNextHeading = "\n# ";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string mended(std::string_view text, std::size_t bytes_max) {
  return clip_middle(to_valid_utf8(text), bytes_max);
}

// The newest kListMax of what is wanted, oldest first.
template <class Range, class Text>
std::vector<std::string> newest(const Range& all, std::size_t bytes_max, Text text) {
  std::vector<std::string> kept;
  const std::size_t skipped = all.size() - std::min(all.size(), Facts::kListMax);
  for (std::size_t i = skipped; i < all.size(); ++i)
    kept.push_back(mended(text(all[i]), bytes_max));
  return kept;
}

std::vector<std::string> newest(const std::vector<std::string>& all, std::size_t bytes_max) {
  return newest(all, bytes_max, [](const std::string& one) -> std::string_view { return one; });
}

// A summary is text of the model between headings of ours: its own headings go one deeper, so that
// the next compaction finds where it ends.
std::string demoted(std::string_view summary) {
  std::string text = "\n" + std::string(summary);
  for (std::size_t at = text.find(kNextHeading); at != std::string::npos;
       at = text.find(kNextHeading, at + 1))
    text.insert(at + 1, "#");
  return text.substr(1);
}

std::string summary_in(const engine::Transcript& transcript) {
  if (transcript.messages.empty()) return "";
  const std::string& frame = transcript.messages.front().text;
  if (!frame.starts_with(kOpening) || frame.find(kSummary) != kOpening.size()) return "";
  const std::size_t begin = kOpening.size() + kSummary.size();
  const std::size_t end = frame.find(kNextHeading, begin - 1);
  return std::string(trimmed(std::string_view(frame).substr(begin, end - begin)));
}

bool is_said(const std::vector<Message>& messages, std::size_t from, std::string_view text) {
  return std::any_of(messages.begin() + static_cast<std::ptrdiff_t>(from), messages.end(),
                     [&](const Message& message) { return message.text == text; });
}

/// Lists facts that the tail does not say anyway.
class Frame {
 public:
  Frame(const std::vector<Message>& messages, std::size_t tail)
      : messages_(messages), tail_(tail) {}

  void add(std::string_view heading, std::string_view text) {
    if (text.empty() || is_said(messages_, tail_, text)) return;
    text_.append(heading).append(text).append("\n");
  }
  void add(std::string_view heading, const std::vector<std::string>& lines) {
    bool is_first = true;
    for (const std::string& line : lines) {
      if (is_said(messages_, tail_, line)) continue;
      if (std::exchange(is_first, false)) text_.append(heading);
      text_.append("- ").append(line).append("\n");
    }
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  const std::vector<Message>& messages_;
  std::size_t tail_;
  std::string text_{kOpening};
};

Message frame_of(const std::vector<Message>& messages, std::size_t tail, const Facts& facts,
                 std::string_view summary) {
  Frame frame(messages, tail);
  if (!summary.empty()) frame.add(kSummary, demoted(summary));
  frame.add(kTask, facts.task);
  frame.add("\n# Said by the user since\n", facts.steers);
  frame.add("\n# Notes of the runtime\n", facts.notes);
  frame.add("\n# Asked for and dealt with before\n", facts.earlier);
  frame.add("\n# What you said last\n", facts.plan);
  frame.add("\n# Last test results\n", facts.failing_tests);
  frame.add("\n# Running jobs\n", facts.jobs);
  frame.add("\n# Waiting for approval\n", facts.approvals);
  frame.add("\n# Files changed so far\n", facts.files_changed);
  Message message;
  message.text = frame.take();
  return message;
}

// Where exchanges begin: at a message of the model, with the results and the user's words behind
// it. Between two of them a transcript may be cut.
std::vector<std::size_t> exchanges(const std::vector<Message>& messages) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (messages[i].role == Role::assistant) starts.push_back(i);
  return starts;
}

// The first message of the last exchanges that fit, at least `count_min` of them.
std::size_t tail_of(const std::vector<Message>& messages, std::size_t bytes_max,
                    std::size_t count_min) {
  // Calls without results wait for them: their message stays whatever it takes.
  if (!messages.empty() && !messages.back().calls.empty())
    count_min = std::max<std::size_t>(count_min, 1);
  std::size_t tail = messages.size();
  std::size_t bytes = 0;
  std::size_t count = 0;
  const std::vector<std::size_t> starts = exchanges(messages);
  for (const std::size_t start : starts | std::views::reverse) {
    for (std::size_t i = start; i < tail; ++i) bytes += bytes_of(messages[i]);
    if (bytes > bytes_max && count >= count_min) break;
    tail = start;
    ++count;
  }
  return tail;
}

Result<engine::Transcript> assemble(const engine::Transcript& before,
                                    const std::vector<Message>& messages, Message frame,
                                    std::size_t tail) {
  engine::Transcript after;
  after.epoch = before.epoch + 1;
  after.messages.push_back(std::move(frame));
  after.messages.insert(after.messages.end(), messages.begin() + static_cast<std::ptrdiff_t>(tail),
                        messages.end());
  const std::size_t was = bytes_of(before);
  const std::size_t now = bytes_of(after);
  if (static_cast<double>(now) > (1 - kGainMin) * static_cast<double>(was))
    return fail(ErrorCode::too_large, "nothing got smaller: " + format_bytes(now) + " of " +
                                          format_bytes(was) + " would stay");
  return after;
}

Result<engine::Transcript> checked(Result<engine::Transcript> after, const Facts& facts) {
  if (!after) return after;
  const std::string dropped = find_dropped(*after, facts);
  if (!dropped.empty())
    return fail(ErrorCode::bad_data,
                "a fact would be lost: " + std::string(clip_prefix(dropped, 80)));
  return after;
}

void cut(ToolResult& result, std::size_t bytes_max, const WholeAt& whole_at) {
  if (result.content.size() <= bytes_max) return;
  const std::size_t was = result.content.size();
  const std::size_t head = bytes_max / 4;  // as tools::clip: the verdict stands at the end
  const std::string note =
      "\n[cut from " + format_bytes(was) + " when the context was full" +
      (result.blob.empty() ? std::string()
                           : "; all of it: " + (whole_at ? whole_at(result.blob) : result.blob)) +
      "]\n";
  std::string text(clip_prefix(result.content, head));
  text += note;
  text += clip_suffix(result.content, bytes_max - head);
  if (text.size() < was) result.content = std::move(text);
}

}  // namespace

Message summary_question() {
  Message question;
  question.text =
      "The context is nearly full, and everything above will be replaced by your answer to this "
      "message. Make no calls. Write for yourself, so that you can go on without reading anything "
      "again: what was found out and how it is known; what was decided and why; what was tried and "
      "did not work; which files matter, with paths, names and line numbers; what is being done "
      "right now, and the next steps. The user's messages, the failing tests, running jobs and "
      "the list of changed files are kept besides. Be exact and brief.";
  return question;
}

std::size_t bytes_of(const Message& message) {
  std::size_t bytes = message.text.size() + message.reasoning.size();
  for (const ToolCall& call : message.calls) bytes += call.name.size() + call.arguments.size();
  for (const ToolResult& result : message.results) bytes += result.content.size();
  return bytes;
}

std::size_t bytes_of(const engine::Transcript& transcript) {
  std::size_t bytes = 0;
  for (const Message& message : transcript.messages) bytes += bytes_of(message);
  return bytes;
}

Facts gather(const SessionState& state, const LiveFacts& around) {
  const SessionRecord& record = state.record();
  Facts facts;
  std::vector<const SessionRecord::Said*> steers;
  std::vector<const SessionRecord::Said*> earlier;
  for (const SessionRecord::Said& one : record.said) {
    if (one.words.how == engine::UserSaid::How::turn) {
      earlier.insert(earlier.end(), steers.begin(), steers.end());
      steers.clear();
      earlier.push_back(&one);
    } else {
      steers.push_back(&one);
    }
  }
  if (!earlier.empty() && state.is_turn_open()) {
    // The last turn's first message is the task, and it stands before the steers that followed it.
    facts.task = to_valid_utf8(state.task());
    earlier.pop_back();
  } else {
    earlier.insert(earlier.end(), steers.begin(), steers.end());
    steers.clear();
  }
  const auto text = [](const SessionRecord::Said* one) -> const std::string& {
    return one->words.text;
  };
  facts.steers = newest(steers, Facts::kSteerBytesMax, text);
  facts.earlier = newest(earlier, Facts::kEarlierBytesMax, text);
  const auto& messages = state.transcript().messages;
  for (auto last = messages.rbegin(); last != messages.rend() && last->role == Role::user; ++last) {
    const bool is_users = std::ranges::any_of(
        record.said, [&](const SessionRecord::Said& one) { return one.words.text == last->text; });
    if (!is_users && !last->text.starts_with(kOpening))
      facts.notes.insert(facts.notes.begin(), mended(last->text, Facts::kSteerBytesMax));
  }
  facts.plan = to_valid_utf8(record.plan);
  facts.failing_tests = mended(around.failing_tests.empty() ? record.tests : around.failing_tests,
                               SessionRecord::kTextBytesMax);
  facts.jobs = newest(around.jobs, Facts::kLineBytesMax);
  for (const PendingCall& pending : state.pending())
    if (pending.asked && !pending.approved && !pending.result)
      facts.approvals.push_back(
          mended(pending.call.name + " " + pending.call.arguments, Facts::kLineBytesMax));
  facts.files_changed = newest(record.files_changed, Facts::kLineBytesMax);
  facts.summary = summary_in(state.transcript());
  return facts;
}

Result<engine::Transcript> compact(const engine::Transcript& before, const Facts& facts,
                                   std::string_view summary, const CompactionLimits& limits) {
  summary = trimmed(summary);
  if (summary.empty()) return fail(ErrorCode::bad_data, "the summary is empty");
  const std::size_t tail = tail_of(before.messages, limits.tail_bytes_max, 0);
  Message frame = frame_of(before.messages, tail, facts, to_valid_utf8(summary));
  if (frame.text.size() > limits.frame_bytes_max)
    return fail(ErrorCode::too_large,
                "the summary and the facts beside it have " + format_bytes(frame.text.size()) +
                    ", " + format_bytes(limits.frame_bytes_max) + " are free for them");
  return checked(assemble(before, before.messages, std::move(frame), tail), facts);
}

Result<engine::Transcript> truncate(const engine::Transcript& before, const Facts& facts,
                                    const CompactionLimits& limits, const WholeAt& whole_at) {
  std::vector<Message> messages = before.messages;
  for (Message& message : messages)
    for (ToolResult& result : message.results) cut(result, limits.result_bytes_max, whole_at);
  const std::size_t tail = tail_of(messages, limits.tail_bytes_max, 1);
  Message frame =
      frame_of(messages, tail, facts, clip_prefix(facts.summary, limits.frame_bytes_max / 2));
  return checked(assemble(before, messages, std::move(frame), tail), facts);
}

std::string find_dropped(const engine::Transcript& transcript, const Facts& facts) {
  const auto is_there = [&](std::string_view text) {
    return std::ranges::any_of(transcript.messages, [&](const Message& message) {
      return message.text.find(text) != std::string::npos;
    });
  };
  for (const std::string* one : {&facts.task, &facts.plan, &facts.failing_tests})
    if (!one->empty() && !is_there(*one)) return *one;
  for (const auto* list : {&facts.steers, &facts.notes, &facts.earlier, &facts.jobs,
                           &facts.approvals, &facts.files_changed})
    for (const std::string& one : *list)
      if (!is_there(one)) return one;
  return "";
}

}  // namespace fathom::agents
