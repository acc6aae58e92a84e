// How a repository's tests are run: guessed from what lies in it, or as configured. Pure: facts in,
// argv out. A filter is one word of argv, or part of one; it never becomes shell text.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/reports/report_format.hpp"
#include "tools/reports/test_report.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kFilterBytesMax = 1'024;
inline constexpr std::size_t kRerunNamesMax = 50;  // chosen by name; more of them run everything
inline constexpr std::int64_t kRerunsMax = 10;

enum class TestRunner : std::uint8_t {
  configured,
  ctest,
  make,
  pytest,
  unittest,
  node,  ///< npm test, which is `node --test`
  jest,
  vitest,
  mocha,
  npm,  ///< npm test, which is anything else
  cargo,
  go,
  maven,
  gradle,
  script,  ///< run_tests.sh
};
std::string_view name_of(TestRunner runner);

/// Where settings of a repository stand, and the key that a message names.
inline constexpr std::string_view kTestSettingsFile = ".fathom/config.yaml";

/// `test:` of a repository's config.
struct TestSettings {
  std::vector<std::string> command;  ///< empty: it is guessed
  /// Words added for a filter, in which `{filter}` is replaced: `["-k", "{filter}"]`. Empty: the
  /// command takes none.
  std::vector<std::string> filter;
  /// Files that it writes, as globs relative to the workspace (`**` is any folders).
  std::vector<std::string> reports;
  unsigned jobs = 2;  ///< of a build that comes first
  ReportFormat format = ReportFormat::any;
  std::int64_t reruns = 0;                        ///< of failing cases, when a call says nothing
  std::optional<std::chrono::milliseconds> time;  ///< of each command; the policy's may be shorter
};

/// What the guess looks at.
struct WorkspaceFacts {
  std::vector<std::string> names;       ///< of the workspace's top folder
  std::vector<std::string> build_dirs;  ///< folders with a CTestTestfile.cmake, relative
  std::string cmake_lists;              ///< the texts of files, "" when they are not there
  std::string makefile;
  std::string package_json;
  std::string python_settings;            ///< pyproject.toml, setup.cfg and tox.ini
  std::vector<std::string> python_tests;  ///< folders that hold test_*.py; "." is the top one
};

/// Looks at the host's files, and follows no link. A file that is not there is no error.
Result<WorkspaceFacts> look_at_tests(const std::string& workspace);

/// Where the report is written: in argv this stands for a path of the sandbox's own.
inline constexpr std::string_view kReportMark = "{report}";

struct TestPlan {
  TestRunner runner = TestRunner::configured;
  std::vector<std::vector<std::string>> before;   ///< builds; one that fails ends the run
  std::vector<std::string> argv;                  ///< may hold kReportMark
  ReportFormat files = ReportFormat::junit;       ///< of what it writes there and of `reports`
  ReportFormat console = ReportFormat::any;       ///< `exit`: what it prints is no report
  std::vector<std::string> filter;                ///< as TestSettings::filter
  std::vector<std::string> reports;               ///< as TestSettings::reports
  std::optional<std::chrono::milliseconds> time;  ///< as TestSettings::time
  std::string why;                                ///< "guessed: go.mod", "configured: FILE"
};

/// Whether the command is told where to write a report.
bool writes_report(const TestPlan& plan);

/// `not_found` with what would be recognised when nothing is.
Result<TestPlan> plan_tests(const WorkspaceFacts& facts, const TestSettings& settings);

/// The same workspace's tests without pytest, for when python has no such module.
TestPlan without_pytest(const WorkspaceFacts& facts);

/// The words for the cases that match `filter`, in the runner's own way. `usage` when it has none,
/// or when the filter could be taken for an option.
Result<std::vector<std::string>> filtered_argv(const TestPlan& plan, std::string_view filter);

/// The words that run these cases again and as few others as the runner allows.
std::vector<std::string> rerun_argv(const TestPlan& plan, std::span<const TestCase> red);

/// The command as a person would type it, words with blanks quoted.
std::string command_line(std::span<const std::string> argv);

}  // namespace fathom::tools
