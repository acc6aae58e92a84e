#include "tools/reports/verdict.hpp"

#include "tests/support/catch.hpp"

namespace fathom::tools {
namespace {

TestCase one(std::string name, CaseStatus status) {
  TestCase test;
  test.name = std::move(name);
  test.status = status;
  return test;
}

TestReport report_of(std::vector<TestCase> cases) {
  TestReport report;
  report.format = "junit";
  report.cases = std::move(cases);
  return report;
}

constexpr auto kPassed = CaseStatus::passed;
constexpr auto kFailed = CaseStatus::failed;
constexpr auto kSkipped = CaseStatus::skipped;

RunEnd exited(int code) { return {RunEnd::How::exited, code, "exit code " + std::to_string(code)}; }

TEST_CASE("a run is a success only when cases ran and nothing speaks against it", "[tools]") {
  struct Row {
    RunEnd end;
    std::optional<TestReport> report;
    TestVerdict verdict;
    bool proven;
  };
  TestReport unbuilt;
  unbuilt.problems = {"build failed"};
  TestReport half = report_of({one("a", kPassed)});
  half.problems = {"planned 2 tests and ran 1"};
  const TestReport green = report_of({one("a", kPassed)});
  const TestReport red = report_of({one("a", kPassed), one("b", kFailed)});
  const std::vector<Row> rows = {
      {exited(0), green, TestVerdict::passed, true},
      {exited(1), red, TestVerdict::failed, true},
      {exited(0), red, TestVerdict::failed, true},
      {exited(1), green, TestVerdict::failed, true},
      {exited(0), half, TestVerdict::failed, true},
      {exited(0), unbuilt, TestVerdict::failed, true},
      {exited(0), report_of({}), TestVerdict::no_tests, true},
      {exited(5), report_of({}), TestVerdict::no_tests, true},
      {exited(0), report_of({one("a", kSkipped)}), TestVerdict::no_tests, true},
      {exited(0), std::nullopt, TestVerdict::passed, false},
      {exited(2), std::nullopt, TestVerdict::failed, false},
      {exited(127), std::nullopt, TestVerdict::infra, false},
      {exited(127), red, TestVerdict::failed, true},
      {{RunEnd::How::not_started, 0, "not started"}, std::nullopt, TestVerdict::infra, false},
      {{RunEnd::How::stopped, 0, "stopped: deadline"}, green, TestVerdict::infra, false},
      {{RunEnd::How::crashed, 0, "killed by signal 11"}, green, TestVerdict::failed, true},
      {{RunEnd::How::crashed, 0, "killed by signal 11"}, std::nullopt, TestVerdict::failed, false},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    INFO("row " << i);
    const Judgement judgement = judge(rows[i].end, rows[i].report);
    CHECK(judgement.verdict == rows[i].verdict);
    CHECK(judgement.proven == rows[i].proven);
  }
}

TEST_CASE("a delta tells a fix from a test that was silenced", "[tools]") {
  const Baseline before = baseline_of(report_of(
      {one("fixed", kFailed), one("still", kFailed), one("broke", kPassed), one("skipped", kFailed),
       one("deleted", kFailed), one("gone", kPassed), one("same", kPassed)}));
  const TestReport now =
      report_of({one("fixed", kPassed), one("still", kFailed), one("broke", kFailed),
                 one("skipped", kSkipped), one("same", kPassed), one("new", kPassed),
                 one("new and red", CaseStatus::error)});
  const Delta whole = compare(before, now, Scope::whole);
  CHECK(whole ==
        Delta{{"broke", "new and red"}, {"fixed"}, {"still"}, {"skipped", "deleted"}, 2, 2});
  const Delta part = compare(before, now, Scope::part);
  // Runners call what a filter left out skipped: that is not news.
  CHECK(part == Delta{{"broke", "new and red"}, {"fixed"}, {"still"}, {}, 2, 0});
}

TEST_CASE("a module that loads again is fixed, and one that was removed is not", "[tools]") {
  const auto in = [](const char* suite, const char* name, CaseStatus status) {
    TestCase test = one(name, status);
    test.suite = suite;
    return test;
  };
  const Baseline before = baseline_of(report_of({in("pytest", "tests.a", CaseStatus::error),
                                                 in("pytest", "tests.b", CaseStatus::error),
                                                 in("pytest", "tests.c", CaseStatus::error)}));
  const TestReport now = report_of({in("tests.a", "x", kPassed), in("tests.b.Inner", "x", kPassed),
                                    in("tests.c-more", "x", kPassed)});
  const Delta delta = compare(before, now, Scope::whole);
  CHECK(delta.fixed == std::vector<std::string>{"pytest::tests.a", "pytest::tests.b"});
  CHECK(delta.silenced == std::vector<std::string>{"pytest::tests.c"});
}

TEST_CASE("a failing case is flaky once it passes, broken when it never does", "[tools]") {
  const TestReport first = report_of({one("broken", kFailed), one("flaky", kFailed),
                                      one("lost", CaseStatus::error), one("green", kPassed)});
  const std::vector<TestReport> reruns = {
      report_of({one("broken", kFailed), one("flaky", kFailed), one("lost", kSkipped)}),
      report_of({one("broken", CaseStatus::error), one("flaky", kPassed)})};
  CHECK(classify(first, reruns) ==
        std::vector<ClassifiedCase>{{"broken", FailureKind::broken, 2, 0},
                                    {"flaky", FailureKind::flaky, 2, 1},
                                    {"lost", FailureKind::infra, 0, 0}});
  CHECK(classify(first, {})[0].kind == FailureKind::infra);
}

TEST_CASE("a builder keeps its bounds and numbers repeated names", "[tools]") {
  ReportBuilder builder("junit");
  for (int i = 0; i < 3; ++i) builder.add(one("same", kPassed));
  TestCase loud = one(std::string(10'000, 'n'), kFailed);
  loud.message = std::string(1UL << 20, 'm');
  loud.output = std::string(1UL << 20, 'o');
  builder.add(loud);
  for (std::size_t i = 0; i < 2 * kProblemsMax; ++i)
    builder.add_problem("problem " + std::to_string(i));
  const TestReport report = builder.finish();
  CHECK(id_of(report.cases[0]) == "same");
  CHECK(id_of(report.cases[2]) == "same #3");
  CHECK(report.cases[3].name.size() == kCaseNameBytesMax);
  CHECK(report.cases[3].message.size() <= kCaseMessageBytesMax);
  CHECK(report.cases[3].output.size() <= kCaseOutputBytesMax);
  CHECK(report.problems.size() == kProblemsMax);
  CHECK(report.truncated);
}

TEST_CASE("beyond the most cases a report counts on and keeps red ones", "[tools]") {
  ReportBuilder builder("junit");
  for (std::size_t i = 0; i < kCasesMax + 5; ++i) builder.add(one(std::to_string(i), kPassed));
  builder.add(one("late and red", kFailed));
  const TestReport report = builder.finish();
  CHECK(report.cases.size() == kCasesMax + 1);
  CHECK(report.cases.back().name == "late and red");
  CHECK(report.counts() == CaseCounts{kCasesMax + 5, 1, 0, 0});
  CHECK(report.truncated);
}

TEST_CASE("details beyond their bound are left out and that is said", "[tools]") {
  ReportBuilder builder("junit");
  for (std::size_t i = 0; i < kDetailBytesMax / kCaseOutputBytesMax + 2; ++i) {
    TestCase test = one(std::to_string(i), kFailed);
    test.output = std::string(kCaseOutputBytesMax, 'o');
    builder.add(std::move(test));
  }
  const TestReport report = builder.finish();
  CHECK_FALSE(report.cases.front().output.empty());
  CHECK(report.cases.back().output.empty());
  CHECK(report.truncated);
}

}  // namespace
}  // namespace fathom::tools
