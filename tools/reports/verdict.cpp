#include "tools/reports/verdict.hpp"

#include <set>

namespace fathom::tools {
namespace {

constexpr int kCannotExecute = 126;  // a shell's words for a program that is not there
constexpr int kNotFound = 127;

Judgement judge_exit(const RunEnd& end) {
  if (end.how == RunEnd::How::exited && end.exit_code == 0)
    return {TestVerdict::passed, "no test report was recognised: only the exit code says so",
            false};
  return {TestVerdict::failed, end.summary + ", and no test report was recognised", false};
}

}  // namespace

std::string_view name_of(TestVerdict verdict) {
  switch (verdict) {
    case TestVerdict::passed:
      return "passed";
    case TestVerdict::failed:
      return "failed";
    case TestVerdict::no_tests:
      return "no_tests";
    case TestVerdict::infra:
      return "infra";
  }
  return "?";
}

std::string_view name_of(FailureKind kind) {
  switch (kind) {
    case FailureKind::broken:
      return "broken";
    case FailureKind::flaky:
      return "flaky";
    case FailureKind::infra:
      return "infra";
  }
  return "?";
}

Judgement judge(const RunEnd& end, const std::optional<TestReport>& report) {
  const CaseCounts counts = report ? report->counts() : CaseCounts{};
  const bool missing = end.how == RunEnd::How::exited && counts.total() == 0 &&
                       (end.exit_code == kNotFound || end.exit_code == kCannotExecute);
  if (end.how == RunEnd::How::not_started || missing)
    return {TestVerdict::infra, "the test command did not start: " + end.summary, false};
  if (end.how == RunEnd::How::stopped)
    return {TestVerdict::infra, "the run did not come to its end: " + end.summary, false};
  if (!report) return judge_exit(end);
  if (counts.red() > 0) return {TestVerdict::failed, "", true};
  if (!report->problems.empty()) return {TestVerdict::failed, report->problems.front(), true};
  if (counts.ran() == 0) {
    const std::string skipped =
        counts.skipped > 0 ? ": all " + std::to_string(counts.skipped) + " were skipped" : "";
    return {TestVerdict::no_tests, "no test ran" + skipped, true};
  }
  if (end.how != RunEnd::How::exited || end.exit_code != 0)
    return {TestVerdict::failed, end.summary + ", though no case failed", true};
  return {TestVerdict::passed, "", true};
}

Baseline baseline_of(const TestReport& report) {
  Baseline baseline;
  for (const TestCase& test : report.cases) baseline.emplace(id_of(test), test.status);
  return baseline;
}

namespace {

std::set<std::string_view> suites_of(const TestReport& report) {
  std::set<std::string_view> suites;
  for (const TestCase& test : report.cases) suites.insert(test.suite);
  return suites;
}

// pytest reports a module that does not load as one red case of the module's name. Once it loads,
// that case is gone and its own cases are there: it is fixed, not silenced.
bool loads_again(std::string_view id, const std::set<std::string_view>& suites) {
  constexpr std::string_view kNotLoaded = "pytest::";
  if (!id.starts_with(kNotLoaded)) return false;
  const std::string_view module = id.substr(kNotLoaded.size());
  if (suites.contains(module)) return true;
  const std::string inner = std::string(module) + ".";  // a class in it
  const auto first = suites.lower_bound(inner);
  return first != suites.end() && first->starts_with(inner);
}

}  // namespace

Delta compare(const Baseline& before, const TestReport& now, Scope scope) {
  Delta delta;
  Baseline here;
  for (const TestCase& test : now.cases) {
    std::string id = id_of(test);
    const auto old = before.find(id);
    const bool was_red = old != before.end() && is_red(old->second);
    delta.appeared += old == before.end() ? 1 : 0;
    // Runners call a case that a filter left out skipped as well.
    const bool is_left_out = scope == Scope::part && test.status == CaseStatus::skipped;
    if (is_red(test.status))
      (was_red ? delta.still_failing : delta.newly_failing).push_back(id);
    else if (was_red && !is_left_out)
      (test.status == CaseStatus::passed ? delta.fixed : delta.silenced).push_back(id);
    here.emplace(std::move(id), test.status);
  }
  if (scope == Scope::part) return delta;
  const std::set<std::string_view> suites = suites_of(now);
  for (const auto& [id, status] : before) {
    if (here.contains(id)) continue;
    ++delta.vanished;
    if (is_red(status)) (loads_again(id, suites) ? delta.fixed : delta.silenced).push_back(id);
  }
  return delta;
}

std::vector<ClassifiedCase> classify(const TestReport& first, std::span<const TestReport> reruns) {
  std::vector<ClassifiedCase> classified;
  std::map<std::string, std::size_t> place;
  for (const TestCase& test : first.cases) {
    if (!is_red(test.status)) continue;
    place.emplace(id_of(test), classified.size());
    classified.push_back({id_of(test), FailureKind::infra, 0, 0});
  }
  for (const TestReport& rerun : reruns) {
    for (const TestCase& test : rerun.cases) {
      const auto found = place.find(id_of(test));
      if (found == place.end() || test.status == CaseStatus::skipped) continue;
      ClassifiedCase& one = classified[found->second];
      ++one.runs;
      one.passes += test.status == CaseStatus::passed ? 1 : 0;
    }
  }
  for (ClassifiedCase& one : classified) {
    if (one.runs == 0) continue;
    one.kind = one.passes > 0 ? FailureKind::flaky : FailureKind::broken;
  }
  return classified;
}

}  // namespace fathom::tools
