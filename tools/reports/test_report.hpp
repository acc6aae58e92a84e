// TestReport: what a test run said, whatever runner said it. Values only; the adapters beside this
// file make them from JUnit, TAP, go's events and consoles, all through ReportBuilder, which holds
// the bounds: a report is bytes from hostile code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kCasesMax = 200'000;      // kept by name; the rest is only counted
inline constexpr std::size_t kRedCasesMax = 10'000;    // kept beyond that, because they matter
inline constexpr std::size_t kCaseNameBytesMax = 512;  // of a suite, a name, a file
inline constexpr std::size_t kCaseMessageBytesMax = 2'048;
inline constexpr std::size_t kCaseOutputBytesMax = 8'192;
inline constexpr std::size_t kDetailBytesMax = 8UL << 20;  // messages and outputs of all cases
inline constexpr std::size_t kProblemsMax = 32;
inline constexpr std::size_t kProblemBytesMax = 2'048;

enum class CaseStatus : std::uint8_t {
  passed,
  failed,  ///< an assertion did not hold
  error,   ///< it could not be carried out: a crash, a broken fixture, a timeout
  skipped,
};
std::string_view name_of(CaseStatus status);
inline bool is_red(CaseStatus status) {
  return status == CaseStatus::failed || status == CaseStatus::error;
}

struct TestCase {
  std::string suite;
  std::string name;
  std::string file;        ///< of the failure, or of the case; "" when nobody said
  std::uint32_t line = 0;  ///< from 1; 0 when nobody said
  CaseStatus status = CaseStatus::passed;
  double seconds = 0;
  std::string message;  ///< first lines of what was wrong, or why it was skipped
  std::string output;   ///< trace and captured output of a red case

  friend bool operator==(const TestCase&, const TestCase&) = default;
};

/// "suite::name". Unique inside a report (ReportBuilder numbers repetitions), the same in every run
/// of the same tests: neither order nor time is part of it.
std::string id_of(const TestCase& test);

struct CaseCounts {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;

  void add(CaseStatus status, std::size_t count = 1);
  [[nodiscard]] std::size_t red() const { return failed + errors; }
  [[nodiscard]] std::size_t ran() const { return passed + red(); }
  [[nodiscard]] std::size_t total() const { return ran() + skipped; }
  friend bool operator==(const CaseCounts&, const CaseCounts&) = default;
};

struct TestReport {
  std::string format;  ///< "junit", "tap", "go", …: which adapter read it
  std::vector<TestCase> cases;
  CaseCounts unnamed;  ///< cases that are only known by number, or beyond kCasesMax
  /// What is wrong with the run and no case's fault: a build failure, a bail-out, a plan that was
  /// not kept. One is enough to make the run red.
  std::vector<std::string> problems;
  bool truncated = false;  ///< it ends in the middle, or details were left out

  [[nodiscard]] CaseCounts counts() const;
  friend bool operator==(const TestReport&, const TestReport&) = default;
};

class ReportBuilder {
 public:
  explicit ReportBuilder(std::string format) { report_.format = std::move(format); }

  /// Texts may be anything: they are made valid UTF-8 without control characters, and cut. A red
  /// case without a place gets the one its message or output names.
  void add(TestCase test);
  void add_unnamed(CaseStatus status, std::size_t count) { report_.unnamed.add(status, count); }
  void add_problem(std::string_view text);
  void mark_truncated() { report_.truncated = true; }

  [[nodiscard]] std::size_t size() const { return report_.cases.size(); }
  [[nodiscard]] bool has_red() const { return red_ > 0; }
  TestReport finish();

 private:
  TestReport report_;
  std::size_t red_ = 0;
  std::size_t detail_bytes_ = 0;
};

/// Several report files of one run as one report. They come in the order of their names.
TestReport merge(std::vector<TestReport> reports);

}  // namespace fathom::tools
