// What ctest, GoogleTest and Catch2 print, for runs without a JUnit file.
#include "tools/reports/line_parser.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace fathom::tools {
namespace {

class CtestParser final : public LineParser {
 public:
  void line(std::string_view line) override;
  std::optional<TestReport> finish() override;

 private:
  ReportBuilder builder_{"ctest"};
  std::vector<TestCase> cases_;
  bool in_output_ = false;  ///< what follows a failed test's line is its output
  bool recognised_ = false;
  bool finished_ = false;
};

// "   Passed", "***Failed", "***Not Run (Disabled)", "***Timeout": the word before the seconds.
CaseStatus ctest_status(std::string_view verdict) {
  if (verdict.starts_with("Passed")) return CaseStatus::passed;
  if (verdict.starts_with("***Skipped") || verdict.find("(Disabled)") != std::string_view::npos)
    return CaseStatus::skipped;
  return verdict.starts_with("***Failed") ? CaseStatus::failed : CaseStatus::error;
}

// "1/7 Test #1: good ......   Passed    0.00 sec"
std::optional<TestCase> ctest_case(std::string_view line) {
  line = trimmed(line);
  const std::size_t test = line.find(" Test ");
  if (test == std::string_view::npos || !take_number(line) || !line.starts_with('/'))
    return std::nullopt;
  const std::size_t colon = line.find(": ");
  const std::size_t sec = line.rfind(" sec");
  if (colon == std::string_view::npos || sec == std::string_view::npos || sec < colon)
    return std::nullopt;
  std::string_view text = line.substr(colon + 2, sec - colon - 2);
  const std::size_t space = trimmed(text).rfind(' ');
  if (space == std::string_view::npos) return std::nullopt;
  TestCase found;
  found.seconds = seconds_of(trimmed(text).substr(space + 1));
  text = trimmed(trimmed(text).substr(0, space));
  std::size_t verdict = text.rfind("***");
  if (verdict == std::string_view::npos) verdict = text.rfind("Passed");
  if (verdict == std::string_view::npos) return std::nullopt;
  std::string_view name = trimmed(text.substr(0, verdict));
  while (name.ends_with('.')) name.remove_suffix(1);
  found.name = trimmed(name);
  found.status = ctest_status(text.substr(verdict));
  if (found.status != CaseStatus::passed) {
    std::string_view why = text.substr(verdict);
    while (why.starts_with('*')) why.remove_prefix(1);
    found.message = why;
  }
  return found;
}

void CtestParser::line(std::string_view line) {
  if (auto test = ctest_case(line)) {
    recognised_ = true;
    in_output_ = is_red(test->status);
    if (cases_.size() < kCasesMax) cases_.push_back(*std::move(test));
    return;
  }
  if (line.starts_with("No tests were found!!!") ||
      line.find("% tests passed, ") != std::string_view::npos) {
    recognised_ = finished_ = true;
    in_output_ = false;
    return;
  }
  const std::string_view text = trimmed(line);
  if (text.starts_with("Start ") && text.find(": ") != std::string_view::npos) in_output_ = false;
  if (in_output_ && !cases_.empty())
    append_line(cases_.back().output, line, 4 * kCaseOutputBytesMax);
}

std::optional<TestReport> CtestParser::finish() {
  if (!recognised_) return std::nullopt;
  for (TestCase& test : cases_) builder_.add(std::move(test));
  if (!finished_) builder_.add_problem("ctest ended before its summary");
  return builder_.finish();
}

class GtestParser final : public LineParser {
 public:
  void line(std::string_view line) override;
  std::optional<TestReport> finish() override;

 private:
  void end_case(std::string_view text, CaseStatus status);

  ReportBuilder builder_{"gtest"};
  std::string running_;
  std::string output_;
  bool recognised_ = false;
  bool finished_ = false;
};

void GtestParser::line(std::string_view line) {
  if (const auto name = behind(line, "[ RUN      ] ")) {
    recognised_ = true;
    finished_ = false;
    running_ = trimmed(*name);
    output_.clear();
    return;
  }
  if (const auto text = behind(line, "[       OK ] ")) return end_case(*text, CaseStatus::passed);
  if (const auto text = behind(line, "[  SKIPPED ] ")) return end_case(*text, CaseStatus::skipped);
  if (const auto text = behind(line, "[  FAILED  ] ")) return end_case(*text, CaseStatus::failed);
  if (line.starts_with("[  PASSED  ] ") || line.starts_with("[==========] 0 tests")) {
    recognised_ = finished_ = true;
    return;
  }
  if (!running_.empty()) append_line(output_, line, 4 * kCaseOutputBytesMax);
}

// "Suite.Name (0 ms)"; the summary names failed ones again, when nothing is running.
void GtestParser::end_case(std::string_view text, CaseStatus status) {
  const std::string_view name = text.substr(0, text.rfind(" ("));
  if (running_.empty() || !name.starts_with(running_)) return;
  TestCase test;
  const std::size_t dot = running_.find('.');
  test.suite = dot == std::string::npos ? "" : running_.substr(0, dot);
  test.name = dot == std::string::npos ? running_ : running_.substr(dot + 1);
  test.status = status;
  const std::size_t open = text.rfind('(');
  if (open != std::string_view::npos)
    test.seconds =
        seconds_of(text.substr(open + 1).substr(0, text.substr(open + 1).find(' '))) / 1000;
  if (status != CaseStatus::passed) test.message = first_lines(output_, 6);
  test.output = std::move(output_);
  builder_.add(std::move(test));
  running_.clear();
  output_.clear();
}

std::optional<TestReport> GtestParser::finish() {
  if (!recognised_) return std::nullopt;
  if (!running_.empty()) {
    builder_.add_problem(running_ + " did not finish: the test program ended in it");
    end_case(running_, CaseStatus::error);
  } else if (!finished_) {
    builder_.add_problem("the test program ended before its summary");
  }
  return builder_.finish();
}

class CatchParser final : public LineParser {
 public:
  void line(std::string_view line) override;
  std::optional<TestReport> finish() override;

 private:
  void take_totals(std::string_view line);

  ReportBuilder builder_{"catch2"};
  std::map<std::string, TestCase> red_;
  std::vector<std::string> order_;
  std::string name_;
  bool in_name_ = false;
  bool in_failure_ = false;
  CaseCounts totals_;
  bool recognised_ = false;
};

bool is_rule(std::string_view line, char c) {
  constexpr std::size_t kRule = 79;
  return line.size() == kRule && line.find_first_not_of(c) == std::string_view::npos;
}

void CatchParser::line(std::string_view line) {
  if (is_rule(line, '-')) {
    in_name_ = !in_name_;
    if (in_name_) name_.clear();
    in_failure_ = false;
    return;
  }
  if (in_name_) {
    // Sections are indented; a long name goes on in the next line.
    if (!line.starts_with(' ')) name_.append(name_.empty() ? "" : " ").append(line);
    return;
  }
  if (is_rule(line, '=') || is_rule(line, '.')) {
    in_failure_ = false;
    return;
  }
  if (line.ends_with(": FAILED:") && !name_.empty()) {
    const auto [at, fresh] = red_.try_emplace(name_);
    if (fresh && red_.size() > kRedCasesMax) {
      red_.erase(at);
      return;
    }
    if (fresh) order_.push_back(name_);
    at->second.status = CaseStatus::failed;
    if (fresh) {
      const Location place = find_location(line);
      at->second.file = place.file;
      at->second.line = place.line;
    }
    append_line(at->second.output, line, 4 * kCaseOutputBytesMax);
    in_failure_ = true;
    return;
  }
  if (in_failure_) {
    append_line(red_[name_].output, line, 4 * kCaseOutputBytesMax);
    return;
  }
  take_totals(line);
}

// "test cases: 3 | 1 passed | 2 failed", "All tests passed (3 assertions in 2 test cases)",
// "No tests ran".
void CatchParser::take_totals(std::string_view line) {
  if (const auto rest = behind(line, "All tests passed (")) {
    const std::size_t in = rest->find(" in ");
    if (in == std::string_view::npos) return;
    std::string_view number = rest->substr(in + 4);
    totals_.add(CaseStatus::passed, take_number(number).value_or(0));
    recognised_ = true;
  } else if (line.starts_with("No tests ran")) {
    recognised_ = true;
  } else if (const auto cases = behind(line, "test cases:")) {
    recognised_ = true;
    std::string_view left = *cases;
    for (std::size_t at = left.find('|'); at != std::string_view::npos; at = left.find('|')) {
      left = trimmed(left.substr(at + 1));
      const std::uint32_t count = take_number(left).value_or(0);
      if (left.starts_with(" passed")) totals_.add(CaseStatus::passed, count);
      if (left.starts_with(" failed")) totals_.add(CaseStatus::failed, count);
      if (left.starts_with(" skipped")) totals_.add(CaseStatus::skipped, count);
    }
  }
}

std::optional<TestReport> CatchParser::finish() {
  if (!recognised_ && red_.empty()) return std::nullopt;
  for (const std::string& name : order_) {
    TestCase& test = red_[name];
    test.name = name;
    const std::size_t line_end = test.output.find('\n');
    if (line_end != std::string::npos)
      test.message = first_lines(std::string_view(test.output).substr(line_end + 1), 5);
    builder_.add(std::move(test));
  }
  if (totals_.failed > order_.size())
    builder_.add_unnamed(CaseStatus::failed, totals_.failed - order_.size());
  builder_.add_unnamed(CaseStatus::passed, totals_.passed);
  builder_.add_unnamed(CaseStatus::skipped, totals_.skipped);
  if (!recognised_) builder_.add_problem("the test program ended before its summary");
  return builder_.finish();
}

}  // namespace

LineParserPtr make_ctest_parser() { return std::make_unique<CtestParser>(); }
LineParserPtr make_gtest_parser() { return std::make_unique<GtestParser>(); }
LineParserPtr make_catch_parser() { return std::make_unique<CatchParser>(); }

}  // namespace fathom::tools
