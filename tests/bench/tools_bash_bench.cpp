// A warm call of the bash tool beside the same command in a plain `bash -c` and beside the same in
// the sandbox, interleaved: what a persistent shell and its confinement cost together and apart.
//
// A pause before each: the next command's namespaces are prepared after a call, while an agent
// thinks, and a bench without pauses would measure that instead.
//
// Where it goes: the state of the shell costs 1.9 ms of processor time over the 1.8 of a plain
// `bash -c true` (2.3 when it opened seven files for writing in place of one), beside other work on
// both cores. Such an open waits for the runtime: 65 to 102 us against 20 us of a plain one.
#include "sandbox/environment.hpp"
#include "tests/bench/plain_program.hpp"
#include "tests/bench/tools_bench.hpp"
#include "tools/shell/bash_tool.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace fathom::tools {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kRounds = 300;
constexpr std::size_t kWarmRounds = 5;
constexpr double kOverheadGoalUs = 2000;
constexpr auto kPause = std::chrono::milliseconds(15);

double micros_since(Steady::time_point start) {
  return std::chrono::duration<double, std::micro>(Steady::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

struct Times {
  std::vector<double> tool;
  std::vector<double> sandboxed;
  std::vector<double> plain;
  std::vector<double> overhead;  ///< of each round, so that a busy machine disturbs both alike
};

sandbox::LauncherOptions options_for(const std::filesystem::path& root) {
  sandbox::LauncherOptions options;
  options.host = sandbox::look_at_host(process_env);
  options.workspace = sandbox::open_workspace(root.string(), options.host).value();
  options.policy.filesystem.workspace_root = options.workspace.root;
  options.policy.filesystem.home_root = options.host.home;
  options.environment = sandbox::process_environment();
  options.state = root.parent_path() / "state";
  std::filesystem::create_directories(options.state);
  return options;
}

asio::awaitable<void> measure(SandboxCommands& commands, Clock& clock,
                              const std::filesystem::path& root, std::string command,
                              Times& times) {
  BashTool tool(commands, clock, root.string());
  const auto arguments = Arguments::parse(R"({"command":")" + command + R"("})").value();
  const std::string id = "c";
  const Call call{id, arguments, {}};
  for (std::size_t i = 0; i < kRounds + kWarmRounds; ++i) {
    co_await clock.sleep_for(kPause);
    const double plain = plain_us(root, {"bash", "-c", command});
    co_await clock.sleep_for(kPause);
    const auto start = Steady::now();
    auto calling = tool.run(call);
    const auto output = co_await std::move(calling);
    const double took = micros_since(start);
    sandbox::Command bare;
    bare.argv = {"bash", "-c", command};
    bare.environment = shell_environment();
    co_await clock.sleep_for(kPause);
    const auto bare_start = Steady::now();
    auto running = commands.run(std::move(bare));
    const auto outcome = co_await std::move(running);
    const double sandboxed = micros_since(bare_start);
    if (!output || output->status != ToolStatus::ok || !outcome) {
      std::fprintf(stderr, "bash: %s\n",
                   output ? output->notes.c_str() : output.error().message.c_str());
      break;
    }
    if (i < kWarmRounds) continue;
    times.tool.push_back(took);
    times.sandboxed.push_back(sandboxed);
    times.plain.push_back(plain);
    times.overhead.push_back(took - plain);
  }
  co_await tool.close();
}

void report_times(BenchReport& report, const std::string& name, const Times& times) {
  if (times.tool.size() < kRounds) {
    report.rows.push_back(
        {name, 0, 0, "bash -c", 0, 0, kOverheadGoalUs, "not measured: no sandbox"});
    return;
  }
  const double tool = median(times.tool);
  const double plain = median(times.plain);
  const double sandboxed = median(times.sandboxed);
  report.rows.push_back({name, tool, plain, "bash -c", tool / plain, 0, 0,
                         "in the sandbox without the shell's state " +
                             std::to_string(static_cast<long>(sandboxed)) + " us"});
  report.rows.push_back({name + ": overhead", median(times.overhead), 0, "", 0, 0, kOverheadGoalUs,
                         "of a warm call"});
}

}  // namespace

void run_bash_bench(BenchReport& report) {
  const auto zygote = sandbox::ZygoteProcess::start().value();
  std::string dir = "/tmp/fathom-bash-bench-XXXXXX";
  if (::mkdtemp(dir.data()) == nullptr) return;
  const std::filesystem::path root = std::filesystem::path(dir) / "tree";
  std::filesystem::create_directories(root);
  plain_us(root, {"bash", "-c", "git init -q . && seq 200 | split -l 1 - f"});
  SystemClock clock;
  asio::io_context io{1};
  Times nothing;
  Times status;
  const auto all = [&]() -> asio::awaitable<void> {
    SandboxCommands commands(*zygote, clock, options_for(root), root.parent_path() / "state");
    co_await measure(commands, clock, root, "true", nothing);
    co_await measure(commands, clock, root, "git status --short | tail -n 1", status);
    co_await commands.close();
  };
  asio::co_spawn(io, all(), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  io.run();
  std::filesystem::remove_all(dir);
  report_times(report, "bash true", nothing);
  report_times(report, "bash git status", status);
}

}  // namespace fathom::tools
