// What pytest and unittest print, for runs without a JUnit file.
#include "tools/reports/line_parser.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace fathom::tools {
namespace {

struct Word {
  std::string_view word;
  CaseStatus status;
};

// "tests/test_a.py::TestA::test_b[1]" as suite, name and file.
TestCase case_of_node(std::string_view node) {
  TestCase test;
  const std::size_t file_end = node.find("::");
  test.file = node.substr(0, file_end);
  // A parameter may hold "::" itself.
  const std::size_t bracket = std::min(node.find('['), node.size());
  const std::size_t last = node.substr(0, bracket).rfind("::");
  if (last == std::string_view::npos) {
    test.name = node;
    return test;
  }
  test.suite = node.substr(0, last);
  test.name = node.substr(last + 2);
  return test;
}

class PytestParser final : public LineParser {
 public:
  void line(std::string_view line) override;
  std::optional<TestReport> finish() override;

 private:
  bool take_verbose(std::string_view line);
  bool take_summary(std::string_view line);
  bool take_totals(std::string_view line);
  void keep(TestCase test);

  ReportBuilder builder_{"pytest"};
  std::map<std::string, TestCase> cases_;
  CaseCounts totals_;
  std::string errors_;  ///< of collection: lines that begin with "E "
  bool recognised_ = false;
};

void PytestParser::keep(TestCase test) {
  std::string id = id_of(test);
  if (cases_.size() >= kCasesMax && !cases_.contains(id)) return;
  TestCase& kept = cases_[std::move(id)];
  // A teardown error comes after its test has passed; the summary after the progress.
  if (is_red(kept.status) && !is_red(test.status)) return;
  if (test.message.empty()) test.message = std::move(kept.message);
  kept = std::move(test);
}

void PytestParser::line(std::string_view line) {
  if (line.starts_with("E  ")) append_line(errors_, trimmed(line.substr(1)), kProblemBytesMax);
  if (take_totals(line) || take_summary(line)) return;
  take_verbose(line);
}

// "FAILED tests/test_a.py::test_b - assert 1 == 2"
bool PytestParser::take_summary(std::string_view line) {
  constexpr std::array<Word, 2> kWords = {
      {{"FAILED ", CaseStatus::failed}, {"ERROR ", CaseStatus::error}}};
  for (const auto& [word, status] : kWords) {
    const auto rest = behind(line, word);
    if (!rest || rest->find(".py") == std::string_view::npos) continue;
    const std::size_t dash = rest->find(" - ");
    TestCase test = case_of_node(trimmed(rest->substr(0, dash)));
    test.status = status;
    if (dash != std::string_view::npos) test.message = rest->substr(dash + 3);
    keep(std::move(test));
    return true;
  }
  return false;
}

// "tests/test_a.py::test_b PASSED                [ 50%]"
bool PytestParser::take_verbose(std::string_view line) {
  constexpr std::array<Word, 6> kWords = {{{" PASSED", CaseStatus::passed},
                                           {" FAILED", CaseStatus::failed},
                                           {" ERROR", CaseStatus::error},
                                           {" SKIPPED", CaseStatus::skipped},
                                           {" XFAIL", CaseStatus::skipped},
                                           {" XPASS", CaseStatus::passed}}};
  if (line.find(".py::") == std::string_view::npos || line.starts_with(' ')) return false;
  for (const auto& [word, status] : kWords) {
    const std::size_t at = line.rfind(word);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = line.substr(at + word.size());
    if (!rest.empty() && rest.front() != ' ') continue;
    TestCase test = case_of_node(line.substr(0, at));
    test.status = status;
    keep(std::move(test));
    return true;
  }
  return false;
}

// "==== 1 failed, 2 passed, 1 skipped in 0.12s ====", without the rule under -q.
bool PytestParser::take_totals(std::string_view line) {
  constexpr std::array<Word, 7> kWords = {{{"passed", CaseStatus::passed},
                                           {"failed", CaseStatus::failed},
                                           {"error", CaseStatus::error},
                                           {"errors", CaseStatus::error},
                                           {"skipped", CaseStatus::skipped},
                                           {"xfailed", CaseStatus::skipped},
                                           {"xpassed", CaseStatus::passed}}};
  std::string_view text = line;
  while (text.starts_with('=')) text.remove_prefix(1);
  while (text.ends_with('=')) text.remove_suffix(1);
  text = trimmed(text);
  const std::size_t in = text.rfind(" in ");
  if (in == std::string_view::npos || text.substr(in).find('s') == std::string_view::npos)
    return false;
  if (text.starts_with("no tests ran")) {
    recognised_ = true;
    return true;
  }
  CaseCounts totals;
  text = text.substr(0, in);
  while (!text.empty()) {
    const auto count = take_number(text);
    if (!count || !text.starts_with(' ')) return false;
    const std::size_t end = std::min(text.find(", "), text.size());
    const std::string_view word = text.substr(1, end - 1);
    const auto* const known = std::ranges::find(kWords, word, &Word::word);
    if (known != kWords.end())
      totals.add(known->status, *count);
    else if (word != "deselected" && !word.starts_with("warning") && word != "rerun")
      return false;
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  totals_ = totals;
  return recognised_ = true;
}

std::optional<TestReport> PytestParser::finish() {
  if (!recognised_ && cases_.empty()) return std::nullopt;
  CaseCounts named;
  for (auto& [id, test] : cases_) {
    named.add(test.status);
    builder_.add(std::move(test));
  }
  const auto more = [&](CaseStatus status, std::size_t total, std::size_t known) {
    if (total > known) builder_.add_unnamed(status, total - known);
  };
  more(CaseStatus::passed, totals_.passed, named.passed);
  more(CaseStatus::failed, totals_.failed, named.failed);
  more(CaseStatus::error, totals_.errors, named.errors);
  more(CaseStatus::skipped, totals_.skipped, named.skipped);
  if (!recognised_) builder_.add_problem("pytest ended before its summary");
  if (named.errors > 0 && named.ran() == named.errors) builder_.add_problem(errors_);
  return builder_.finish();
}

// "test_bad (test_a.T.test_bad)" or, before 3.11, "test_bad (test_a.T)"; behind it the parameters
// of a subtest.
std::optional<TestCase> unittest_case(std::string_view text) {
  const std::size_t open = text.find(" (");
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t close = text.find(')', open);
  if (close == std::string_view::npos) return std::nullopt;
  TestCase test;
  test.name = trimmed(text.substr(0, open));
  std::string_view suite = text.substr(open + 2, close - open - 2);
  if (suite.size() > test.name.size() && suite.ends_with("." + test.name))
    suite.remove_suffix(test.name.size() + 1);
  if (test.name.empty() || test.name.find(' ') != std::string::npos || suite.empty())
    return std::nullopt;
  test.suite = suite;
  const std::string_view parameters = trimmed(text.substr(close + 1));
  if (!parameters.empty()) test.name += " " + std::string(parameters);
  return test;
}

// "FAILED (failures=2, skipped=1)"
std::size_t count_behind(std::string_view line, std::string_view word) {
  const std::size_t at = line.find(word);
  if (at == std::string_view::npos) return 0;
  std::string_view rest = line.substr(at + word.size());
  return take_number(rest).value_or(0);
}

class UnittestParser final : public LineParser {
 public:
  void line(std::string_view line) override;
  std::optional<TestReport> finish() override;

 private:
  bool take_block(std::string_view line);
  bool take_end(std::string_view line);
  void take_verdict(std::string_view line);

  ReportBuilder builder_{"unittest"};
  std::vector<TestCase> cases_;
  std::vector<TestCase> red_;        ///< with their traces
  std::optional<TestCase> waiting_;  ///< whose verdict comes on a later line
  bool in_block_ = false;
  bool rule_seen_ = false;
  std::optional<std::uint32_t> ran_;
  std::size_t skipped_ = 0;
  bool finished_ = false;
};

void UnittestParser::line(std::string_view line) {
  if (take_end(line) || take_block(line)) return;
  if (!in_block_) take_verdict(line);
}

// "FAIL: test_bad (test_a.T.test_bad)" between a double rule and a single one, then the trace.
bool UnittestParser::take_block(std::string_view line) {
  if (line.size() >= 70 && line.find_first_not_of('=') == std::string_view::npos) {
    in_block_ = true;
    rule_seen_ = false;
    return true;
  }
  if (!in_block_) return false;
  if (line.size() >= 70 && line.find_first_not_of('-') == std::string_view::npos) {
    // The second one ends the last block.
    if (rule_seen_) in_block_ = false;
    rule_seen_ = true;
    return true;
  }
  for (const std::string_view word : {"FAIL: ", "ERROR: "}) {
    const auto rest = behind(line, word);
    if (!rest || rule_seen_) continue;
    TestCase test;
    if (auto named = unittest_case(*rest))
      test = *std::move(named);
    else
      test.name = *rest;  // "setUpClass (test_a.T)" has this form too, a module may not
    test.status = word == "FAIL: " ? CaseStatus::failed : CaseStatus::error;
    if (red_.size() < kRedCasesMax) red_.push_back(std::move(test));
    return true;
  }
  if (rule_seen_ && !red_.empty()) append_line(red_.back().output, line, 4 * kCaseOutputBytesMax);
  return true;
}

bool UnittestParser::take_end(std::string_view line) {
  if (auto rest = behind(line, "Ran ")) {
    const auto count = take_number(*rest);
    if (!count || !rest->starts_with(" test")) return false;
    ran_ = count;
    in_block_ = false;
    return true;
  }
  if (ran_ && (line == "OK" || line.starts_with("OK (") || line.starts_with("FAILED") ||
               line.starts_with("NO TESTS RAN"))) {
    skipped_ = count_behind(line, "skipped=") + count_behind(line, "expected failures=");
    return finished_ = true;
  }
  return false;
}

// "test_ok (test_a.T.test_ok) ... ok"; with a doc line the name stands on the line before.
void UnittestParser::take_verdict(std::string_view line) {
  const std::size_t dots = line.rfind(" ... ");
  if (dots == std::string_view::npos) {
    if (auto named = unittest_case(line); named && !line.starts_with(' ')) waiting_ = named;
    return;
  }
  auto named = unittest_case(trimmed(line.substr(0, dots)));
  if (!named) named = waiting_;
  waiting_.reset();
  if (!named || cases_.size() >= kCasesMax) return;
  const std::string_view verdict = line.substr(dots + 5);
  if (verdict.starts_with("ok") || verdict.starts_with("unexpected success")) {
    named->status = verdict.starts_with("ok") ? CaseStatus::passed : CaseStatus::failed;
  } else if (verdict.starts_with("skipped") || verdict.starts_with("expected failure")) {
    named->status = CaseStatus::skipped;
    named->message = trimmed(verdict.starts_with("skipped") ? verdict.substr(7) : verdict);
  } else {
    return;  // FAIL and ERROR come with their traces
  }
  cases_.push_back(*std::move(named));
}

std::optional<TestReport> UnittestParser::finish() {
  if (!ran_) return std::nullopt;
  const bool dots = cases_.empty();  // without -v only the red ones have names
  std::set<std::string> red;         // subtests are none of those that ran
  for (TestCase& test : cases_) builder_.add(std::move(test));
  for (TestCase& test : red_) {
    red.insert(test.suite + "::" + test.name.substr(0, test.name.find(' ')));
    // The last line is the exception, the trace stands before it.
    const std::string_view trace = trimmed(test.output);
    const std::size_t last = trace.rfind('\n');
    test.message = last == std::string_view::npos ? trace : trace.substr(last + 1);
    builder_.add(std::move(test));
  }
  if (dots) {
    const std::size_t others = *ran_ - std::min<std::size_t>(*ran_, red.size());
    const std::size_t skipped = std::min(skipped_, others);
    builder_.add_unnamed(CaseStatus::skipped, skipped);
    builder_.add_unnamed(CaseStatus::passed, others - skipped);
  }
  if (!finished_) builder_.add_problem("unittest ended before its verdict");
  return builder_.finish();
}

}  // namespace

LineParserPtr make_pytest_parser() { return std::make_unique<PytestParser>(); }
LineParserPtr make_unittest_parser() { return std::make_unique<UnittestParser>(); }

}  // namespace fathom::tools
