#include "agents/cli/run_view_calls.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

namespace fathom::agents {
namespace {

constexpr std::size_t kOpenCallsMax = 64;  // what a sample may ask for at once is less
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kOutputBytesMax = 512;  // of the last line of a running call
constexpr std::size_t kReasonBytesMax = 2000;
constexpr std::size_t kChangedShownMax = 3;
constexpr std::size_t kDenialsShownMax = 3;
constexpr std::size_t kLinesOfSuccess = 3;
constexpr std::size_t kLinesOfFailure = 5;
constexpr std::size_t kLinesOfDigest = 2;  // behind its first one, which is in the outcome's line
constexpr std::size_t kLinesOfReplacement = 6;  // on either side
constexpr std::size_t kLinesVerbose = 40;
constexpr std::size_t kOutcomeIndent = 2;
constexpr std::size_t kBodyIndent = 4;
constexpr std::string_view kErrorPrefix = "error: ";  // the dispatcher's; the mark says it too
constexpr Duration kStatusTimeMin = std::chrono::seconds(1);

std::string clipped(std::string text, std::size_t bytes_max) {
  return text.size() <= bytes_max ? std::move(text) : std::string(clip_prefix(text, bytes_max));
}

std::string one_line(std::string_view text) {
  std::string line(clip_prefix(text, kReasonBytesMax));
  for (char& c : line)
    if (c == '\n' || c == '\r') c = ' ';
  return line;
}

// The runtime's own words behind an output: the view says the same in its own line.
bool is_exit_note(std::string_view line) { return line.starts_with("exit code "); }

std::string_view trimmed(std::string_view line) {
  return line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
}

bool has_word(std::string_view line, std::span<const std::string_view> words) {
  std::string lower;
  for (const char c : line) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return std::ranges::any_of(
      words, [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// Of an output without a digest: the first line that tells of an error, else one of a failure that
// is no heading, else the last one.
std::string_view error_line(const std::vector<std::string_view>& lines) {
  static constexpr std::array<std::string_view, 2> kErrors = {"error", "not found"};
  static constexpr std::array<std::string_view, 4> kFailures = {"fail", "fatal", "exception",
                                                                "panic"};
  for (const std::string_view line : lines)
    if (has_word(line, kErrors)) return trimmed(line);
  for (const std::string_view line : lines)
    if (!line.starts_with('=') && !line.starts_with('-') && has_word(line, kFailures))
      return trimmed(line);
  return lines.empty() ? std::string_view{} : trimmed(lines.back());
}

std::string exit_of(const EventData& result) {
  if (const std::string code = result.digits("exit_code"); !code.empty())
    return code == "0" ? "" : "exit " + code;
  if (const std::string signal = result.digits("signal"); !signal.empty())
    return "signal " + signal;
  std::string ending = result.text("ending");
  std::ranges::replace(ending, '_', ' ');
  return ending == "exited" ? "" : ending;
}

// The first lines of a result are its digest, except where they are bytes of a program or a file.
bool has_digest(std::string_view tool, const EventData& result) {
  return tool != "bash" && !(tool == "str_replace_editor" && result.text("command") == "view");
}

std::string headline_of_view(const EventData& result) {
  const std::vector<std::string> lines = result.texts("lines", 2);
  const std::string total = result.digits("total");
  if (lines.size() != 2) return "";
  std::string text = "lines " + lines[0] + "-" + lines[1];
  return total.empty() ? text : text + " of " + total;
}

std::string took_text(const EventData& data) {
  const std::optional<std::uint64_t> us = data.count("us");
  constexpr std::uint64_t kMicrosecondsMax = 1ULL << 50U;  // as nanoseconds it is still a Duration
  if (!us || *us > kMicrosecondsMax) return "";
  return time_of(std::chrono::microseconds(*us));
}

// The lines of a replacement's one side, as a diff has them.
std::string replacement(std::string_view text, char sign, Colour colour, std::size_t lines_max,
                        const ViewStyle& style) {
  const std::vector<std::string_view> lines = lines_of(text);
  std::string out;
  for (std::size_t i = 0; i < std::min(lines.size(), lines_max); ++i)
    out += style.line(colour, kBodyIndent, std::string(1, sign) + " " + shown(lines[i]));
  if (lines.size() > lines_max)
    out += style.line(colour, kBodyIndent,
                      std::string(1, sign) + " " + std::string(style.mark(Mark::more)) + " " +
                          grouped(lines.size() - lines_max) + " more lines");
  return out;
}

void join(std::string& to, std::string_view part, std::string_view separator) {
  if (part.empty()) return;
  if (!to.empty()) to += separator;
  to += part;
}

}  // namespace

CallsView::Call& CallsView::call_of(const EventData& data) {
  const std::string id = data.text("call");
  const auto found = std::ranges::find(calls_, id, &Call::id);
  if (found != calls_.end()) return *found;
  if (calls_.size() == kOpenCallsMax) calls_.pop_front();
  calls_.emplace_back().id = id;
  return calls_.back();
}

std::string CallsView::title_text(const Call& call, const ViewStyle& style) {
  std::string text = shown(call.title.line);
  if (!call.title.is_cut && call.is_whole) return text;
  return text.append(text.empty() ? "" : " ").append(style.mark(Mark::more));
}

std::string CallsView::name_of(const Call& call, const ViewStyle& style) {
  if (call.tool.empty()) return "call " + shown(call.id);
  const std::string title = title_text(call, style);
  return shown(call.tool) + (title.empty() ? "" : "  " + title);
}

void CallsView::on_planned(const EventData& message) {
  // What has no result by now gets none: results come before the next answer.
  calls_.clear();
  for (const EventData& planned : message.objects("calls", kOpenCallsMax)) {
    Call call;
    call.id = planned.text("id");
    call.tool = clipped(planned.text("name"), kNameBytesMax);
    call.title = title_of(call.tool, planned.text("arguments"));
    calls_.push_back(std::move(call));
  }
}

std::string CallsView::on_requested(const EventData& data, Instant now, const ViewStyle& style) {
  Call& call = call_of(data);
  call.tool = clipped(data.text("tool"), kNameBytesMax);
  const EventText arguments = data.body("arguments");
  call.title = title_of(call.tool, arguments.text);
  call.bytes = arguments.bytes;
  call.is_whole = arguments.is_whole;
  call.stage = Stage::requested;
  call.since = now;
  last_said_ = call.id;
  const std::string tool = shown(call.tool);
  const std::string_view mark = style.mark(Mark::call);
  std::string line = style.painted(Colour::cyan, mark) + " " + style.painted(Colour::bold, tool);
  const std::size_t indent = columns_of(mark) + 1 + columns_of(tool) + 2;
  if (const std::string title = style.fitted(title_text(call, style), indent); !title.empty())
    line += "  " + title;
  line += "\n";
  const std::size_t shown_max = detail_ == Detail::verbose ? kLinesVerbose : kLinesOfReplacement;
  line += replacement(call.title.removed, '-', Colour::red, shown_max, style);
  line += replacement(call.title.added, '+', Colour::green, shown_max, style);
  return line;
}

void CallsView::on_decided(const EventData& data) {
  Call& call = call_of(data);
  if (data.text("verdict") == "allow") return;
  call.reason = one_line(data.text("reason"));
  if (const std::string rule = data.text("rule"); !rule.empty())
    call.reason += " (rule " + one_line(rule) + ")";
  call.grant = one_line(data.text("grant"));
}

void CallsView::on_started(const EventData& data, Instant now) {
  Call& call = call_of(data);
  call.stage = Stage::started;
  call.since = now;
}

void CallsView::on_output(const EventData& data) {
  Call& call = call_of(data);
  const std::string text = data.text("text");
  const std::vector<std::string_view> lines = lines_of(text);
  if (!lines.empty()) call.last_output = std::string(clip_prefix(lines.back(), kOutputBytesMax));
}

void CallsView::on_changed(const EventData& data) {
  Call& call = call_of(data);
  if (call.changed.size() == kChangedShownMax)
    ++call.more_changed;
  else
    call.changed.push_back(one_line(data.text("path")));
}

void CallsView::on_denied(const EventData& data) {
  Call& call = call_of(data);
  if (call.denials.size() == kDenialsShownMax) {
    ++call.more_denials;
    return;
  }
  Denial denial;
  denial.text = "the sandbox denied " + data.text("what") + " " + data.text("target");
  if (const std::uint64_t times = data.count("count").value_or(1); times > 1)
    denial.text += " " + grouped(times) + " times";
  if (const std::string rule = data.text("rule"); !rule.empty())
    denial.text += " (rule " + rule + ")";
  denial.text = one_line(denial.text);
  denial.grant = one_line(data.text("grant"));
  call.denials.push_back(std::move(denial));
}

// What is not in the call's line: nobody should approve what cannot be seen.
std::string CallsView::all_of(const Call& call, const ViewStyle& style) {
  const std::size_t indent = columns_of(style.mark(Mark::call)) + 1 + columns_of(call.tool) + 2;
  const std::string title = title_text(call, style);
  if (!call.title.is_cut && call.is_whole && style.fitted(title, indent) == title) return "";
  std::string out;
  for (const std::string_view line : lines_of(call.title.whole))
    out += style.whole_line(Colour::plain, kBodyIndent, shown(line));
  if (!call.is_whole)
    out += style.whole_line(Colour::yellow, kBodyIndent,
                            std::string(style.mark(Mark::warns)) + " this is not all of it: " +
                                format_bytes(call.bytes) + " are in the trace");
  return out;
}

std::string CallsView::on_approval_requested(const EventData& data, const ViewStyle& style) {
  on_decided(data);
  Call& call = call_of(data);
  call.stage = Stage::asked;
  std::string text(style.mark(Mark::asks));
  text += " ";
  if (last_said_ != call.id) text += name_of(call, style) + ": ";
  last_said_ = call.id;
  text += "needs your approval: " + shown(call.reason);
  std::string out = all_of(call, style) + style.whole_line(Colour::yellow, kOutcomeIndent, text);
  if (!call.grant.empty())
    out += style.whole_line(Colour::plain, kBodyIndent, "smallest grant: " + shown(call.grant));
  return out;
}

std::string CallsView::on_approval_answered(const EventData& data, const ViewStyle& style) {
  Call& call = call_of(data);
  const bool given = data.flag("given").value_or(false);
  call.stage = Stage::requested;
  call.is_refused = !given;
  std::string text(style.mark(given ? Mark::done : Mark::failed));
  text += " ";
  if (last_said_ != call.id) text += name_of(call, style) + ": ";
  last_said_ = call.id;
  return style.line(given ? Colour::green : Colour::red, kOutcomeIndent,
                    text + (given ? "approved" : "not approved"));
}

std::string CallsView::outcome(const Call& call, const EventData& data, Instant now,
                               const ViewStyle& style) const {
  const std::string status = data.text("status");
  const bool ok = status == "ok";
  const EventData result = data.object("data");
  const std::string content = data.text("content");
  std::vector<std::string_view> lines = lines_of(content);
  std::erase_if(lines, is_exit_note);
  const bool digest = has_digest(call.tool, result);
  const std::string_view separator = style.separator();

  std::string facts = last_said_ == call.id ? "" : name_of(call, style);
  if (status == "denied") {
    join(facts, "denied", separator);
    // The digest says the same to the model, with the grant in the same line.
    std::string why = call.reason;
    if (why.empty() && !lines.empty()) why = one_line(lines.front());
    if (why.starts_with("denied: ")) why.erase(0, 8);
    if (!why.empty()) facts += ": " + shown(why);
    return style.whole_line(Colour::red, kOutcomeIndent,
                            std::string(style.mark(Mark::failed)) + " " + facts);
  }
  const bool cancelled = status == "cancelled";
  if (cancelled) join(facts, "cancelled", separator);
  if (!ok && !cancelled) join(facts, shown(exit_of(result)), separator);
  std::string took = cancelled && call.stage != Stage::started ? "" : took_text(data);
  if (took.empty() && call.stage == Stage::started) took = time_of(now - call.since);
  join(facts, took, separator);
  if (ok) {
    std::string headline;
    if (result.has("total")) headline = headline_of_view(result);
    if (digest && !lines.empty()) headline = one_line(lines.front());
    if (headline == "(no output)") headline.clear();
    join(facts, shown(headline), separator);
    std::string changed;
    for (const std::string& path : call.changed)
      if (call.title.line.find(path) == std::string::npos) join(changed, shown(path), ", ");
    if (call.more_changed > 0) join(changed, grouped(call.more_changed) + " more", ", ");
    if (!changed.empty()) join(facts, "changed " + changed, separator);
  } else {
    std::string_view why = digest || cancelled ? std::string_view{} : error_line(lines);
    if (why.empty() && !lines.empty()) why = lines.front();
    if (why.starts_with(kErrorPrefix)) why.remove_prefix(kErrorPrefix.size());
    if (!why.empty()) facts += (facts.empty() ? "" : ": ") + shown(one_line(why));
    if (facts.empty()) facts = "failed";
  }
  const Mark mark = ok ? Mark::done : cancelled ? Mark::stopped : Mark::failed;
  const std::string_view sign = style.mark(mark);
  const std::size_t indent = kOutcomeIndent + columns_of(sign) + 1;
  const Colour colour = ok ? Colour::green : cancelled ? Colour::yellow : Colour::red;
  return std::string(kOutcomeIndent, ' ') + style.painted(colour, sign) + " " +
         style.painted(ok ? Colour::dim : colour, style.fitted(facts, indent)) + "\n";
}

// A few lines of what came back: the end of a program's output, the beginning of all else.
std::string CallsView::body(const Call& call, const EventData& data, const ViewStyle& style) const {
  const std::string status = data.text("status");
  if (status == "denied" || status == "cancelled") return "";
  const bool ok = status == "ok";
  const EventData result = data.object("data");
  const EventText content = data.body("content");
  std::vector<std::string_view> lines = lines_of(content.text);
  std::erase_if(lines, is_exit_note);
  if (lines.size() == 1 && (lines[0] == "(no output)" || !ok)) return "";
  const bool digest = has_digest(call.tool, result);
  std::size_t lines_max = ok ? kLinesOfSuccess : kLinesOfFailure;
  if (digest) {
    if (!lines.empty()) lines.erase(lines.begin());
    lines_max = ok && call.tool != "run_tests" ? 0 : kLinesOfDigest;
  } else if (call.tool != "bash") {
    lines_max = 0;  // a file that was looked at is known
  }
  if (detail_ == Detail::verbose) lines_max = kLinesVerbose;
  if (lines_max == 0) return "";
  const bool from_end = !digest && call.tool == "bash" && content.is_whole;
  const std::size_t count = std::min(lines_max, lines.size());
  const std::uint64_t all =
      std::max<std::uint64_t>(digest ? 0 : result.count("lines").value_or(0), lines.size());
  std::string more;
  if (all > count || !content.is_whole) {
    more = std::string(style.mark(Mark::more)) + " ";
    more += all > count ? counted(all - count, "more line") : "more";
    if (!content.is_whole) more += ", " + format_bytes(content.bytes) + " in all";
    more = style.line(Colour::dim, kBodyIndent, more);
  }
  std::string out;
  if (from_end) out += more;
  for (std::size_t i = 0; i < count; ++i)
    out +=
        style.line(Colour::dim, kBodyIndent, shown(lines[from_end ? lines.size() - count + i : i]));
  return from_end ? out : out + more;
}

std::string CallsView::on_finished(const EventData& data, Instant now, const ViewStyle& style) {
  Call& call = call_of(data);
  const bool denied = data.text("status") == "denied";
  // "not approved" stands there already, with the grant.
  std::string out = denied && call.is_refused ? "" : outcome(call, data, now, style);
  if (denied && !call.is_refused && !call.grant.empty())
    out += style.whole_line(Colour::plain, kBodyIndent, "grant: " + shown(call.grant));
  out += body(call, data, style);
  for (const Denial& denial : call.denials) {
    out += style.whole_line(Colour::yellow, kBodyIndent,
                            std::string(style.mark(Mark::warns)) + " " + shown(denial.text));
    if (!denial.grant.empty())
      out += style.whole_line(Colour::plain, kBodyIndent + 2, "grant: " + shown(denial.grant));
  }
  if (call.more_denials > 0)
    out += style.line(
        Colour::yellow, kBodyIndent,
        std::string(style.mark(Mark::warns)) + " and " + counted(call.more_denials, "more denial"));
  last_said_.clear();
  std::erase_if(calls_, [id = call.id](const Call& one) { return one.id == id; });
  return out;
}

std::string CallsView::status(Instant now, const ViewStyle& style) const {
  std::size_t running = 0;
  const Call* first = nullptr;
  for (const Call& call : calls_) {
    if (call.stage == Stage::asked) return "waiting for your approval: " + name_of(call, style);
    if (call.stage == Stage::planned) continue;
    ++running;
    if (first == nullptr) first = &call;
  }
  if (first == nullptr) return "";
  std::string text = shown(first->tool.empty() ? first->id : first->tool);
  if (const Duration took = now - first->since; took >= kStatusTimeMin)
    text += ", " + time_of(took);
  if (running > 1) text += ", and " + counted(running - 1, "more call");
  if (!first->last_output.empty())
    text += std::string(style.separator()) + shown(first->last_output);
  return text;
}

}  // namespace fathom::agents
