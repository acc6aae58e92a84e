// TestDriver: runs a plan's commands in the sandbox and reads back what they reported.
//
// Where reports are read: in the sandbox, by a command of its own whose output is the file. The
// file was written by hostile code, and only there is it where the runner put it (a private /tmp,
// a transaction's overlay); so no link, fifo or device that was left in its place is ever opened
// by this process. The report's place is a folder made for this one run, and a configured report
// counts only when it changed since before the run: an old report is nobody's result.
#pragma once

#include "tools/commands.hpp"
#include "tools/reports/verdict.hpp"
#include "tools/run_tests_plan.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kReportFilesMax = 500;           // read of one run
inline constexpr std::size_t kReportsBytesMax = 128UL << 20;  // of all of them
inline constexpr std::size_t kListingBytesMax = 4UL << 20;    // of their names

struct TestRun {
  Judgement judgement;
  std::optional<TestReport> report;
  RunEnd end;
  std::vector<std::string> argv;  ///< of the command that decided: the tests', or a broken build's
  sandbox::CapturedOutput output;
  std::vector<sandbox::Denial> denials;
  std::string notice;              ///< what the sandbox refused, for the model
  std::vector<std::string> notes;  ///< why a report was not used
  double seconds = 0;
};

class TestDriver {
 public:
  using OnOutput = std::function<void(std::string_view)>;

  /// Both outlive this. `workspace` is absolute, links resolved.
  TestDriver(Commands& commands, std::string workspace)
      : commands_(commands), workspace_(std::move(workspace)) {}

  /// `argv` is the plan's, or one made of it for a filter or a rerun. `unsupported` when there is
  /// no sandbox; a command that fails is a TestRun.
  asio::awaitable<Result<TestRun>> run(const TestPlan& plan, std::vector<std::string> argv,
                                       OnOutput on_output);

 private:
  struct Stamp;
  using Stamps = std::map<std::string, std::string>;  ///< path to what changes with the file
  asio::awaitable<Result<std::string>> capture(std::vector<std::string> argv,
                                               std::size_t bytes_max);
  asio::awaitable<Result<std::string>> make_folder();
  asio::awaitable<Result<Stamps>> list_reports(const TestPlan& plan);
  asio::awaitable<Result<std::optional<TestRun>>> build(const TestPlan& plan, OnOutput on_output);
  asio::awaitable<Result<>> read_reports(const TestPlan& plan, const Stamps& before,
                                         const std::string& folder, TestRun& run);
  void make_relative(TestReport& report) const;

  Commands& commands_;
  std::string workspace_;
};

}  // namespace fathom::tools
