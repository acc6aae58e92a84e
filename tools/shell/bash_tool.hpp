// bash: a persistent shell in the sandbox, and its background jobs.
//
// data of a command: {"running":false,"ending":…,"exit_code"|"signal":N,"ms":N,"bytes":N,"lines":N,
// "blob"?,"left_processes":bool,"rung":…,"job"?:N}; of one that goes on: {"running":true,"job":N,
// "ms":N,"bytes":N,"lines":N}; of the list: {"jobs":[{"job":N,"running":bool,"unread_bytes":N,
// "command":…}]}.
#pragma once

#include "runtime/async/clock.hpp"
#include "tools/commands.hpp"
#include "tools/shell/shell_jobs.hpp"
#include "tools/shell/shell_result.hpp"
#include "tools/shell/shell_states.hpp"
#include "tools/tool.hpp"

#include <string>

namespace fathom::tools {

/// Two clocks: this one is how long a call waits; how long a command may live is the policy's
/// (limits.time).
inline constexpr Duration kYieldTime = std::chrono::seconds(120);
inline constexpr Duration kYieldTimeMax = std::chrono::hours(1);
/// A job that fails at once is better reported at once.
inline constexpr Duration kFirstLook = std::chrono::milliseconds(200);
inline constexpr Duration kPollTime = std::chrono::seconds(5);

/// What comes after a call. Where nothing does, no command may go on as a job: nobody would be
/// there to see its end, and it would be killed at once while the call says that it runs.
enum class Calls : std::uint8_t { many, one };

class BashTool final : public Tool {
 public:
  /// Both outlive this. `workspace` is the absolute path where the shell starts.
  BashTool(Commands& commands, Clock& clock, std::string workspace, Calls calls = Calls::many)
      : clock_(clock), workspace_(std::move(workspace)), calls_(calls), jobs_(commands, clock) {}

  static const ToolSpec& description();
  [[nodiscard]] const ToolSpec& spec() const override { return description(); }
  [[nodiscard]] Result<Intent> intent(const Arguments& arguments) const override;
  asio::awaitable<Result<ToolOutput>> run(const Call& call) override;

  /// Ends all jobs and waits for their processes; before it is destroyed, once no call runs.
  asio::awaitable<void> close() { return jobs_.close(); }

  /// One line a job; "" when there are none. What a compaction must not lose.
  [[nodiscard]] std::string jobs_text() const;

 private:
  asio::awaitable<Result<ToolOutput>> run_command(const Call& call, std::string command);
  asio::awaitable<Result<ToolOutput>> run_background(std::string command);
  asio::awaitable<Result<ToolOutput>> poll(const Call& call);
  asio::awaitable<Result<ToolOutput>> kill(const Call& call);
  Result<ShellJob*> job_of(const Call& call) const;
  asio::awaitable<Result<ToolOutput>> end_late(ShellJob& job);
  Result<ToolOutput> finished(ShellJob& job);
  void settle();
  std::string take_notices();

  Clock& clock_;
  std::string workspace_;
  Calls calls_;
  ShellStates states_;
  ShellJobs jobs_;
};

}  // namespace fathom::tools
