// run_tests: runs the repository's tests in the sandbox and says in a few lines what they said.
//
// What it never does: call a run a success in which nothing ran, or whose command failed.
//
// `data`: {"verdict", "proven", "reason", "runner", "command", "why", "format", "exit_code",
// "seconds", "counts": {"passed","failed","errors","skipped"}, "failing": [{"id","file","line",
// "status","message","kind"?,"runs"?,"passes"?}], "failing_more", "problems", "delta"?:
// {"against": "baseline" or a run's id, "newly_failing","fixed","still_failing","silenced",
// "appeared","vanished"}, "truncated"}.
#pragma once

#include "tools/reports/baseline_file.hpp"
#include "tools/run_tests_driver.hpp"
#include "tools/tool.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>

namespace fathom::tools {

inline constexpr std::size_t kDataCasesMax = 500;  // named in `data`

class RunTests final : public Tool {
 public:
  /// `commands` outlives this; `workspace` is absolute, links resolved. Settings that could not be
  /// read fail the calls, not the session: its other tools need none. With a `keeper` the first run
  /// is compared with the last one of the process before.
  RunTests(Commands& commands, std::string workspace, Result<TestSettings> settings,
           std::unique_ptr<BaselineKeeper> keeper = nullptr);

  static const ToolSpec& description();
  [[nodiscard]] const ToolSpec& spec() const override { return description(); }
  [[nodiscard]] Result<Intent> intent(const Arguments& arguments) const override;
  asio::awaitable<Result<ToolOutput>> run(const Call& call) override;

 private:
  struct Asked;
  struct Answer;
  [[nodiscard]] Result<Asked> read(const Arguments& arguments) const;
  [[nodiscard]] Result<TestPlan> plan() const;
  asio::awaitable<Result<TestRun>> first_run(TestPlan& plan, std::vector<std::string>& argv,
                                             const Asked& asked, const Call& call);
  asio::awaitable<Result<>> rerun(const TestPlan& plan, std::int64_t times, Answer& answer);
  void compare_with_baseline(const Asked& asked, const std::vector<std::string>& command,
                             Answer& answer);
  static ToolOutput output_of(const TestPlan& planned, Answer& answer);
  asio::awaitable<void> look_for_earlier();
  asio::awaitable<void> keep_for_later(const std::vector<std::string>& command, Answer& answer);

  std::string workspace_;
  Result<TestSettings> settings_;
  TestDriver driver_;
  std::unique_ptr<BaselineKeeper> keeper_;
  bool has_looked_ = false;              ///< for an earlier run
  std::optional<KeptBaseline> earlier_;  ///< the last run of another process, until there is
  std::optional<Baseline> baseline_;     ///< that of the first whole run, or the one asked for
};

}  // namespace fathom::tools
