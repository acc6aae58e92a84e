// What JavaScript's runners print: a tick or a cross before the name, suites by indentation, and a
// summary with counts (mocha, jest --verbose, vitest, node's spec reporter).
#include "tools/reports/line_parser.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace fathom::tools {
namespace {

constexpr std::array<std::string_view, 3> kTicks = {"\u2713 ", "\u2714 ", "\u221a "};
constexpr std::array<std::string_view, 4> kCrosses = {"\u2715 ", "\u2716 ", "\u00d7 ", "\u2717 "};
constexpr std::array<std::string_view, 4> kSkips = {"\u25cb ", "\u2193 ", "\ufe63 ", "- "};
constexpr std::array<std::string_view, 2> kSuites = {"\u25b6 ", "\u276f "};

template <std::size_t N>
std::optional<std::string_view> behind_any(std::string_view text,
                                           const std::array<std::string_view, N>& marks) {
  for (const std::string_view mark : marks)
    if (const auto rest = behind(text, mark)) return rest;
  return std::nullopt;
}

// "adds (1.6ms)", "adds (5 ms)", "adds 3ms": the time is no part of the name.
std::string_view without_time(std::string_view name, double& seconds) {
  name = trimmed(name);
  std::string_view text = name;
  if (text.ends_with(')')) text.remove_suffix(1);
  if (!text.ends_with("ms")) return name;
  text = trimmed(text.substr(0, text.size() - 2));
  const std::size_t digits = text.find_last_not_of("0123456789.");
  if (digits == std::string_view::npos || digits + 1 == text.size()) return name;
  if (text[digits] != '(' && text[digits] != ' ') return name;
  seconds = seconds_of(text.substr(digits + 1)) / 1000;
  return trimmed(text.substr(0, digits));
}

// "src/sum.test.ts  (2 tests | 1 failed) 6ms": vitest counts behind the name.
std::string_view heading_of(std::string_view heading) {
  constexpr std::size_t kHeadingBytesMax = 256;
  double seconds = 0;
  heading = without_time(heading, seconds);
  if (const std::size_t tests = heading.find(" ("); tests != std::string_view::npos)
    if (heading.find(" test", tests) != std::string_view::npos) heading = heading.substr(0, tests);
  return trimmed(heading.substr(0, kHeadingBytesMax));
}

class MarksParser final : public LineParser {
 public:
  void line(std::string_view line) override;
  std::optional<TestReport> finish() override;

 private:
  struct Suite {
    std::size_t indent = 0;
    std::string name;
    bool has_cases = false;
  };
  bool take_details(std::string_view text, std::size_t indent);
  void add(TestCase test, std::string_view name, std::size_t indent);
  bool take_case(std::string_view line, std::size_t indent);
  bool take_totals(std::string_view text);
  void take_count(std::string_view word, std::uint32_t count);

  ReportBuilder builder_{"marks"};
  std::vector<Suite> suites_;
  std::vector<TestCase> cases_;
  std::optional<std::size_t> red_;     ///< whose trace this is
  std::vector<std::size_t> numbered_;  ///< mocha's failed cases, by its own numbers
  CaseCounts totals_;
  bool has_totals_ = false;
  bool listing_ = false;  ///< behind "failing tests:", where everything is told again
};

void MarksParser::line(std::string_view line) {
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  const std::string_view text = trimmed(line);
  if (text.empty() || take_totals(text)) return;
  if (text.ends_with("failing tests:")) listing_ = true;  // where node tells everything again
  if (text.starts_with("Test Files ") || text.starts_with("Test Suites:")) listing_ = true;
  if (listing_) return;
  if (take_details(text, indent) || take_case(line, indent)) return;
  if (red_ && indent > 0) {
    std::string& output = cases_[*red_].output;
    // mocha repeats the suites and the name first, and ends them with a colon.
    const bool headings =
        has_totals_ && text.ends_with(':') && output.find(':') == std::string::npos;
    if (headings)
      output.clear();
    else
      append_line(output, text, 4 * kCaseOutputBytesMax);
    return;
  }
  red_.reset();
  // A line that may be the heading of a suite. jest names the file at the left edge.
  if (text.starts_with("FAIL ") || text.starts_with("PASS ")) {
    suites_.clear();
    return;
  }
  std::string_view heading = text;
  if (const auto marked = behind_any(text, kSuites)) heading = *marked;
  while (!suites_.empty() && suites_.back().indent >= indent) suites_.pop_back();
  if (suites_.size() < kNestingMax) suites_.push_back({indent, std::string(heading_of(heading))});
}

// "  1) throws" among mocha's ticks is a failed case; below the totals it heads that case's trace,
// as "\u25cf sum \u203a carries" does in jest's.
bool MarksParser::take_details(std::string_view text, std::size_t indent) {
  std::string_view rest = text;
  if (const auto number = take_number(rest); number && rest.starts_with(") ") && indent > 0) {
    red_.reset();
    if (!has_totals_) {
      TestCase test;
      test.status = CaseStatus::failed;
      numbered_.push_back(cases_.size());
      add(std::move(test), rest.substr(2), indent);
    } else if (*number > 0 && *number <= numbered_.size()) {
      red_ = numbered_[*number - 1];
    }
    return true;
  }
  const auto jest = behind(text, "\u25cf ");
  if (!jest || indent == 0) return false;
  red_.reset();
  for (std::size_t i = 0; i < cases_.size(); ++i)
    if (is_red(cases_[i].status) && jest->ends_with("\u203a " + cases_[i].name)) red_ = i;
  return true;
}

void MarksParser::add(TestCase test, std::string_view name, std::size_t indent) {
  Suite closed;
  while (!suites_.empty() && suites_.back().indent >= indent) {
    closed = std::move(suites_.back());
    suites_.pop_back();
  }
  name = without_time(name, test.seconds);
  // node puts a mark before a suite that failed, too, when its cases are through.
  if (closed.indent == indent && closed.has_cases && closed.name == name) return;
  for (const std::string_view excuse : {" # SKIP", " # TODO"}) {
    if (!name.ends_with(excuse)) continue;
    test.status = CaseStatus::skipped;
    name = without_time(name.substr(0, name.size() - excuse.size()), test.seconds);
  }
  for (Suite& suite : suites_) {
    suite.has_cases = true;
    test.suite += (test.suite.empty() ? "" : " > ") + suite.name;
  }
  test.name = name;
  cases_.push_back(std::move(test));
  if (is_red(cases_.back().status)) red_ = cases_.size() - 1;
}

bool MarksParser::take_case(std::string_view line, std::size_t indent) {
  const std::string_view text = trimmed(line);
  TestCase test;
  std::optional<std::string_view> name = behind_any(text, kTicks);
  if (!name) {
    name = behind_any(text, kCrosses);
    test.status = CaseStatus::failed;
  }
  if (!name && indent > 0) {
    name = behind_any(text, kSkips);
    test.status = CaseStatus::skipped;
  }
  if (!name || cases_.size() >= kCasesMax) return false;
  red_.reset();
  add(std::move(test), *name, indent);
  return true;
}

void MarksParser::take_count(std::string_view word, std::uint32_t count) {
  if (word.starts_with("pass")) totals_.add(CaseStatus::passed, count);
  if (word.starts_with("fail") || word.starts_with("cancelled"))
    totals_.add(CaseStatus::failed, count);
  if (word.starts_with("skip") || word.starts_with("pending") || word.starts_with("todo"))
    totals_.add(CaseStatus::skipped, count);
  has_totals_ = true;
}

// "Tests:  1 failed, 2 passed, 3 total", "Tests  1 failed | 2 passed (3)", "2 passing (5ms)",
// "\u2139 pass 2".
bool MarksParser::take_totals(std::string_view text) {
  if (const auto node = behind(text, "\u2139 ")) {
    const std::size_t space = node->find(' ');
    if (space == std::string_view::npos) return true;
    std::string_view number = node->substr(space + 1);
    const std::string_view word = node->substr(0, space);
    if (const auto count = take_number(number); count && word != "tests" && word != "suites")
      if (!word.starts_with("duration")) take_count(word, *count);
    return true;
  }
  if (auto rest = behind(text, "Tests")) {
    if (rest->starts_with(':')) rest->remove_prefix(1);
    std::string_view left = trimmed(*rest);
    bool any = false;
    while (const auto count = take_number(left)) {
      take_count(trimmed(left), *count);
      any = true;
      const std::size_t next = left.find_first_of(",|");
      if (next == std::string_view::npos) break;
      left = trimmed(left.substr(next + 1));
    }
    return any;
  }
  std::string_view left = text;
  const auto count = take_number(left);
  if (!count || !left.starts_with(' ')) return false;
  left = trimmed(left);
  if (!left.starts_with("passing") && left != "failing" && left != "pending") return false;
  take_count(left, *count);
  return true;
}

std::optional<TestReport> MarksParser::finish() {
  if (!has_totals_) return std::nullopt;
  CaseCounts named;
  for (TestCase& test : cases_) {
    named.add(test.status);
    if (is_red(test.status)) test.message = first_lines(test.output, 4);
    builder_.add(std::move(test));
  }
  const auto more = [&](CaseStatus status, std::size_t total, std::size_t known) {
    if (total > known) builder_.add_unnamed(status, total - known);
  };
  more(CaseStatus::passed, totals_.passed, named.passed);
  more(CaseStatus::failed, totals_.failed, named.failed);
  more(CaseStatus::skipped, totals_.skipped, named.skipped);
  return builder_.finish();
}

}  // namespace

LineParserPtr make_marks_parser() { return std::make_unique<MarksParser>(); }

}  // namespace fathom::tools
