#include "tools/reports/digest.hpp"

#include "runtime/base/text.hpp"
#include "tools/reports/report_text.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

namespace fathom::tools {
namespace {

constexpr std::size_t kMessageLinesMax = 6;  // of the first failure
constexpr std::size_t kOutputLinesMax = 8;
constexpr std::size_t kTailLines = 5;  // kept free for reruns, the baseline and a cut report
constexpr std::size_t kShownMax = 3;   // failures shown with their words

std::string cut(std::string_view line) { return clean_line(line, kDigestLineBytesMax); }

std::string number(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, seconds < 10 ? "%.2f s" : "%.0f s", seconds);
  return text;
}

std::string place_of(const TestCase& test) {
  if (test.file.empty()) return "";
  return " at " + test.file + (test.line > 0 ? ":" + std::to_string(test.line) : "");
}

class Digest {
 public:
  void line(std::string_view text) {
    if (lines_ >= lines_max_) return;
    ++lines_;
    if (!text_.empty()) text_ += '\n';
    text_ += text;
  }
  void begin_tail() { lines_max_ = kDigestLinesMax; }
  [[nodiscard]] std::size_t left() const { return lines_max_ - lines_; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::size_t lines_ = 0;
  std::size_t lines_max_ = kDigestLinesMax - kTailLines;
};

std::string headline(const DigestInput& input) {
  const CaseCounts counts = input.report ? input.report->counts() : CaseCounts{};
  std::string text;
  switch (input.judgement.verdict) {
    case TestVerdict::passed:
      text = "PASSED";
      break;
    case TestVerdict::failed:
      text = "FAILED";
      break;
    case TestVerdict::no_tests:
      text = "NO TESTS RAN";
      break;
    case TestVerdict::infra:
      text = "DID NOT RUN PROPERLY";
      break;
  }
  if (counts.total() > 0) {
    text += ": " + std::to_string(counts.passed) + " passed";
    if (counts.failed > 0) text += ", " + std::to_string(counts.failed) + " failed";
    if (counts.errors > 0) text += ", " + std::to_string(counts.errors) + " with errors";
    if (counts.skipped > 0) text += ", " + std::to_string(counts.skipped) + " skipped";
  }
  text += " in " + number(input.seconds);
  if (!input.judgement.reason.empty()) text += " (" + input.judgement.reason + ")";
  return text;
}

// Message first; then the trace's end, where it says more than the message.
void show(Digest& digest, const TestCase& test, std::size_t lines_max) {
  digest.line(cut(id_of(test) + place_of(test)));
  std::size_t shown = 0;
  for (const std::string_view line : lines_of(test.message)) {
    if (trimmed(line).empty() || shown == std::min(lines_max, kMessageLinesMax)) continue;
    digest.line("  " + cut(line));
    ++shown;
  }
  if (shown > 1) return;
  std::vector<std::string_view> lines;
  for (const std::string_view line : lines_of(test.output))
    if (!trimmed(line).empty() && !is_foreign_frame(line) &&
        test.message.find(trimmed(line)) == std::string::npos)
      lines.push_back(line);
  const std::size_t wanted = std::min(lines_max - std::min(shown, lines_max), kOutputLinesMax);
  const std::size_t from = lines.size() - std::min(lines.size(), wanted);
  for (std::size_t i = from; i < lines.size(); ++i) digest.line("  | " + cut(lines[i]));
}

std::string names(const std::vector<std::string>& ids) {
  constexpr std::size_t kNamesMax = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(ids.size(), kNamesMax); ++i)
    text += (i == 0 ? "" : ", ") + cut(ids[i]);
  if (ids.size() > kNamesMax) text += ", …";
  return text;
}

void show_delta(Digest& digest, const Delta& delta, const std::string& against) {
  std::string text;
  const auto part = [&](const std::vector<std::string>& ids, const char* what, bool name_them) {
    if (ids.empty()) return;
    text += (text.empty() ? "" : "; ") + std::to_string(ids.size()) + " " + what;
    if (name_them) text += " (" + names(ids) + ")";
  };
  part(delta.newly_failing, "newly failing", true);
  part(delta.fixed, "fixed", true);
  part(delta.silenced, "skipped or gone that failed before, which is no fix", true);
  part(delta.still_failing, "still failing", false);
  if (delta.appeared > 0)
    text += (text.empty() ? "" : "; ") + std::to_string(delta.appeared) + " new";
  if (delta.vanished > 0)
    text += (text.empty() ? "" : "; ") + std::to_string(delta.vanished) + " vanished";
  digest.line("against " + (against.empty() ? "the baseline" : "run " + cut(against)) + ": " +
              (text.empty() ? "no change" : text));
}

void show_classes(Digest& digest, const DigestInput& input) {
  std::map<FailureKind, std::vector<std::string>> kinds;
  for (const ClassifiedCase& one : input.classified) {
    std::string text = one.id;
    if (one.kind == FailureKind::flaky)
      text += " " + std::to_string(one.passes) + "/" + std::to_string(one.runs);
    kinds[one.kind].push_back(std::move(text));
  }
  const std::string times =
      std::to_string(input.reruns) + (input.reruns == 1 ? " rerun" : " reruns");
  const auto say = [&](FailureKind kind, const char* what) {
    if (const auto found = kinds.find(kind); found != kinds.end())
      digest.line(times + ": " + std::to_string(found->second.size()) + " " + what + " (" +
                  names(found->second) + ")");
  };
  say(FailureKind::broken, "broken, red every time");
  say(FailureKind::flaky, "flaky, passed without a change");
  say(FailureKind::infra, "unknown, did not run again");
}

void show_failures(Digest& digest, const TestReport& report) {
  std::vector<const TestCase*> red;
  for (const TestCase& test : report.cases)
    if (is_red(test.status)) red.push_back(&test);
  for (const std::string& problem : report.problems) {
    std::size_t shown = 0;
    for (const std::string_view line : lines_of(problem)) {
      if (trimmed(line).empty()) continue;
      if (shown == kMessageLinesMax || digest.left() <= kDigestNamesMax) break;
      digest.line((shown == 0 ? "problem: " : "  ") + cut(line));
      ++shown;
    }
  }
  if (red.empty()) return;
  if (const std::string cause = likely_cause(report); !cause.empty())
    digest.line("likely cause: " + cut(cause));
  // What is shown in full leaves room for the names and the lines about changes.
  const std::size_t shown = red.size() <= kShownMax ? red.size() : 1;
  for (std::size_t i = 0; i < shown; ++i)
    show(digest, *red[i], i == 0 ? kMessageLinesMax + 2 : kMessageLinesMax - 2);
  if (red.size() <= shown) return;
  digest.line("also failing:");
  const std::size_t until = std::min(red.size(), shown + kDigestNamesMax);
  for (std::size_t i = shown; i < until; ++i) {
    const std::string_view said = first_lines(trimmed(red[i]->message), 1);
    digest.line("  " + cut(id_of(*red[i]) + place_of(*red[i]) +
                           (said.empty() ? "" : ": " + std::string(said.substr(0, 120)))));
  }
  if (until < red.size()) digest.line("  … " + std::to_string(red.size() - until) + " more");
}

}  // namespace

std::string digest_of(const DigestInput& input) {
  Digest digest;
  DigestInput whole = input;
  // The problem has lines of its own below.
  if (input.report && !input.report->problems.empty() &&
      input.judgement.reason == input.report->problems.front())
    whole.judgement.reason.clear();
  digest.line(clean_line(headline(whole), 2 * kDigestLineBytesMax));
  digest.line("ran: " + cut(input.command) + (input.why.empty() ? "" : " (" + input.why + ")"));
  if (input.report) show_failures(digest, *input.report);
  digest.begin_tail();
  if (!input.classified.empty()) show_classes(digest, input);
  if (input.delta) show_delta(digest, *input.delta, input.against);
  if (input.report && input.report->truncated)
    digest.line("the report is cut: counts may be short of what ran");
  return digest.take();
}

std::string likely_cause(const TestReport& report) {
  std::map<std::string_view, std::size_t> counts;
  std::size_t red = 0;
  for (const TestCase& test : report.cases) {
    if (!is_red(test.status)) continue;
    ++red;
    const std::string_view said = first_lines(trimmed(test.message), 1);
    if (!said.empty()) ++counts[said];
  }
  constexpr std::size_t kSameMin = 3;
  const auto most =
      std::ranges::max_element(counts, {}, [](const auto& one) { return one.second; });
  if (most == counts.end() || most->second < kSameMin || 2 * most->second <= red) return "";
  return std::to_string(most->second) + " of " + std::to_string(red) +
         " say: " + std::string(most->first);
}

std::string first_error(std::string_view output) {
  constexpr std::size_t kErrorLinesMax = 5;
  std::string found;
  std::size_t left = 0;
  for (const std::string_view line : lines_of(output)) {
    if (left == 0 && found.empty()) {
      const bool error = line.find("error:") != std::string_view::npos ||
                         line.find("Error:") != std::string_view::npos ||
                         line.find("CMake Error") != std::string_view::npos ||
                         line.find("*** ") != std::string_view::npos ||
                         line.find("undefined reference") != std::string_view::npos;
      if (!error) continue;
      left = kErrorLinesMax;
    }
    if (left == 0) break;
    --left;
    append_line(found, line, kProblemBytesMax);
  }
  return found;
}

}  // namespace fathom::tools
