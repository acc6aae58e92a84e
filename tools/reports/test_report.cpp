#include "tools/reports/test_report.hpp"

#include "tools/reports/report_text.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace fathom::tools {
namespace {

// A case named twice (a parametrised test without parameters in its name, a retried one) is
// numbered, so that baselines can tell the two apart.
void number_repetitions(std::vector<TestCase>& cases) {
  std::unordered_map<std::string, std::size_t> seen;
  seen.reserve(cases.size());
  for (TestCase& test : cases) {
    std::size_t& count = seen[id_of(test)];
    if (++count > 1) test.name += " #" + std::to_string(count);
  }
}

}  // namespace

std::string_view name_of(CaseStatus status) {
  switch (status) {
    case CaseStatus::passed:
      return "passed";
    case CaseStatus::failed:
      return "failed";
    case CaseStatus::error:
      return "error";
    case CaseStatus::skipped:
      return "skipped";
  }
  return "?";
}

std::string id_of(const TestCase& test) {
  return test.suite.empty() ? test.name : test.suite + "::" + test.name;
}

void CaseCounts::add(CaseStatus status, std::size_t count) {
  switch (status) {
    case CaseStatus::passed:
      passed += count;
      break;
    case CaseStatus::failed:
      failed += count;
      break;
    case CaseStatus::error:
      errors += count;
      break;
    case CaseStatus::skipped:
      skipped += count;
      break;
  }
}

CaseCounts TestReport::counts() const {
  CaseCounts counts = unnamed;
  for (const TestCase& test : cases) counts.add(test.status);
  return counts;
}

void ReportBuilder::add(TestCase test) {
  const bool red = is_red(test.status);
  if (report_.cases.size() >= kCasesMax + (red ? kRedCasesMax : 0)) {
    report_.unnamed.add(test.status);
    report_.truncated = true;
    red_ += red ? 1 : 0;
    return;
  }
  test.suite = clean_line(test.suite, kCaseNameBytesMax);
  test.name = clean_line(test.name, kCaseNameBytesMax);
  test.file = clean_line(test.file, kCaseNameBytesMax);
  if (test.name.empty()) test.name = "(no name)";
  if (red) {
    if (test.line == 0) {
      // The message is about the failure; the output may be about anything.
      Location place = find_location(test.message);
      if (place.file.empty()) place = find_location(test.output);
      if (!place.file.empty()) {
        test.file = clean_line(place.file, kCaseNameBytesMax);
        test.line = place.line;
      }
    }
    test.output = clean_text(test.output, kCaseOutputBytesMax);
  } else {
    test.output.clear();  // nobody reads what a green case printed
  }
  test.message = clean_text(test.message, kCaseMessageBytesMax);
  detail_bytes_ += test.message.size() + test.output.size();
  if (detail_bytes_ > kDetailBytesMax) {
    if (!test.message.empty() || !test.output.empty()) report_.truncated = true;
    test.message.clear();
    test.output.clear();
  }
  red_ += red ? 1 : 0;
  report_.cases.push_back(std::move(test));
}

void ReportBuilder::add_problem(std::string_view text) {
  std::string problem = clean_text(text, kProblemBytesMax);
  if (problem.empty() || std::ranges::find(report_.problems, problem) != report_.problems.end())
    return;
  if (report_.problems.size() < kProblemsMax)
    report_.problems.push_back(std::move(problem));
  else
    report_.truncated = true;
}

TestReport ReportBuilder::finish() {
  number_repetitions(report_.cases);
  return std::exchange(report_, TestReport{});
}

TestReport merge(std::vector<TestReport> reports) {
  if (reports.size() == 1) return std::move(reports.front());
  ReportBuilder builder(reports.empty() ? "" : reports.front().format);
  for (TestReport& report : reports) {
    for (TestCase& test : report.cases) builder.add(std::move(test));
    for (const std::string& problem : report.problems) builder.add_problem(problem);
    if (report.truncated) builder.mark_truncated();
    for (const auto& [status, count] : {std::pair{CaseStatus::passed, report.unnamed.passed},
                                        std::pair{CaseStatus::failed, report.unnamed.failed},
                                        std::pair{CaseStatus::error, report.unnamed.errors},
                                        std::pair{CaseStatus::skipped, report.unnamed.skipped}})
      builder.add_unnamed(status, count);
  }
  return builder.finish();
}

}  // namespace fathom::tools
