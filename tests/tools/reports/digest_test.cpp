#include "tools/reports/digest.hpp"

#include "tests/support/catch.hpp"
#include "tools/reports/report_text.hpp"

#include <algorithm>

namespace fathom::tools {
namespace {

TestCase red(const std::string& name, const std::string& message) {
  TestCase test;
  test.suite = "math";
  test.name = name;
  test.status = CaseStatus::failed;
  test.message = message;
  return test;
}

DigestInput input_of(TestReport report) {
  DigestInput input;
  input.judgement = judge({RunEnd::How::exited, 1, "exit code 1"}, report);
  input.report = std::move(report);
  input.command = "ctest --test-dir build";
  input.why = "guessed: CMakeLists.txt";
  input.seconds = 1.5;
  return input;
}

TEST_CASE("a digest names the verdict, the first failure with its place, and the rest", "[tools]") {
  TestReport report;
  report.cases = {red("adds", "1 != 2"), red("divides", "boom")};
  report.cases[0].file = "src/a.cpp";
  report.cases[0].line = 12;
  report.cases[0].output = "context\n1 != 2\nsrc/a.cpp:12";
  report.unnamed.add(CaseStatus::passed, 3);
  DigestInput input = input_of(report);
  input.delta = Delta{{"math::adds"}, {"math::zero"}, {"math::divides"}, {}, 0, 0};
  input.reruns = 2;
  input.classified = {{"math::adds", FailureKind::broken, 2, 0},
                      {"math::divides", FailureKind::flaky, 2, 1}};
  CHECK(
      digest_of(input) ==
      "FAILED: 3 passed, 2 failed in 1.50 s\n"
      "ran: ctest --test-dir build (guessed: CMakeLists.txt)\n"
      "math::adds at src/a.cpp:12\n"
      "  1 != 2\n"
      "  | context\n"
      "  | src/a.cpp:12\n"
      "math::divides\n"
      "  boom\n"
      "2 reruns: 1 broken, red every time (math::adds)\n"
      "2 reruns: 1 flaky, passed without a change (math::divides 1/2)\n"
      "against the baseline: 1 newly failing (math::adds); 1 fixed (math::zero); 1 still failing");
}

TEST_CASE("a digest of any report stays within its lines", "[tools]") {
  TestReport report;
  const std::string message(50'000, 'x');
  for (int i = 0; i < 5'000; ++i) {
    report.cases.push_back(
        red(std::to_string(i) + std::string(400, 'n'), "a\nb\nc\nd\ne\nf\ng\nh"));
    report.cases.back().message += message;
  }
  for (int i = 0; i < 30; ++i) report.problems.push_back("1\n2\n3\n4\n5\n6\n7\n8\n9" + message);
  report.truncated = true;
  DigestInput input = input_of(report);
  input.delta = Delta{std::vector<std::string>(5'000, message), {}, {}, {}, 1, 1};
  input.classified = std::vector<ClassifiedCase>(5'000, {message, FailureKind::flaky, 1, 1});
  const std::string digest = digest_of(input);
  const auto lines = lines_of(digest);
  CHECK(lines.size() <= kDigestLinesMax);
  CHECK(digest.size() <= kDigestLinesMax * 6 * kDigestLineBytesMax);
  CHECK(digest.find("against the baseline") != std::string::npos);
}

TEST_CASE("what most failures say is named as the likely cause", "[tools]") {
  TestReport report;
  for (int i = 0; i < 4; ++i)
    report.cases.push_back(
        red(std::to_string(i), "No module named 'x'\ntrace " + std::to_string(i)));
  report.cases.push_back(red("other", "1 != 2"));
  CHECK(likely_cause(report) == "4 of 5 say: No module named 'x'");
  report.cases.resize(2);
  CHECK(likely_cause(report).empty());
}

TEST_CASE("the first error of a build is found with what follows it", "[tools]") {
  CHECK(first_error("[1/2] Building\na.cpp:3:5: error: no 'x'\n  x();\n  ^\n1 error generated.\n"
                    "ninja: build stopped\nmore\n") ==
        "a.cpp:3:5: error: no 'x'\n  x();\n  ^\n1 error generated.\nninja: build stopped");
  CHECK(first_error("all is well\n").empty());
}

TEST_CASE("a run without a report says that only the exit code speaks", "[tools]") {
  DigestInput input;
  input.judgement = judge({RunEnd::How::exited, 0, "exit code 0"}, std::nullopt);
  input.command = "make test";
  CHECK(digest_of(input) ==
        "PASSED in 0.00 s (no test report was recognised: only the exit code says so)\n"
        "ran: make test");
}

}  // namespace
}  // namespace fathom::tools
