// A warm call of a server's tool, from arguments to output, beside the same frames written to and
// read from the same server over plain pipes, interleaved.
#include "runtime/base/unique_fd.hpp"
#include "sandbox/environment.hpp"
#include "tests/bench/tools_bench.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/mcp/mcp_servers.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>

namespace fathom::tools {
namespace {

using Steady = std::chrono::steady_clock;

constexpr int kRounds = 1'000;
constexpr int kWarmRounds = 50;
constexpr double kGoalUs = 1'000;  // what a step may cost in all

double micros_since(Steady::time_point start) {
  return std::chrono::duration<double, std::micro>(Steady::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.at(values.size() / 2);
}

// The server without a sandbox and without a client. Its input ends when this does.
class PlainServer {
 public:
  explicit PlainServer(std::string program) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) std::abort();
    const UniqueFd its_in(in[0]);
    const UniqueFd its_out(out[1]);
    in_.reset(in[1]);
    out_.reset(out[0]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, its_in.get(), 0);
    posix_spawn_file_actions_adddup2(&actions, its_out.get(), 1);
    std::array<char*, 2> argv = {program.data(), nullptr};
    if (::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ) != 0)
      std::abort();
    posix_spawn_file_actions_destroy(&actions);
  }
  ~PlainServer() {
    in_.reset();
    ::waitpid(pid_, nullptr, 0);
  }
  PlainServer(const PlainServer&) = delete;
  PlainServer& operator=(const PlainServer&) = delete;

  double call_us() {
    const auto start = Steady::now();
    const std::string frame =
        R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo"}})"
        "\n";
    if (::write(in_.get(), frame.data(), frame.size()) < 0) std::abort();
    std::array<char, 4096> answer{};
    for (char last = 0; last != '\n';) {
      const ssize_t size = ::read(out_.get(), answer.data(), answer.size());
      if (size <= 0) std::abort();
      last = answer.at(static_cast<std::size_t>(size) - 1);
    }
    return micros_since(start);
  }

 private:
  UniqueFd in_;
  UniqueFd out_;
  pid_t pid_ = 0;
};

struct Measured {
  std::vector<double> ours;
  std::vector<double> peers;
};

asio::awaitable<void> measure(sandbox::ZygoteProcess& zygote, Clock& clock,
                              const std::filesystem::path& root, Measured& into) {
  const std::string program = root / "work/server";
  sandbox::LauncherOptions options;
  options.host = sandbox::look_at_host(process_env);
  options.workspace = sandbox::open_workspace((root / "work").string(), options.host).value();
  options.environment = sandbox::process_environment();
  options.state = root / "state";
  const policies::Policy policy = options.policy;
  const GetEnv env = process_env;
  SandboxCommands commands(zygote, clock, std::move(options), root / "state");
  const auto executor = co_await asio::this_coro::executor;
  const auto servers = McpServers::create({executor, clock, commands, policy, root / "work", env},
                                          {{"s", {program}, {}, {}}})
                           .value();
  co_await servers->start();
  const auto tools = servers->make_tools();
  for (const std::string& note : servers->notes()) std::fprintf(stderr, "%s\n", note.c_str());
  const auto arguments = Arguments::parse("{}").value();
  const std::string id = "c";
  PlainServer plain(program);
  for (int i = 0; !tools.empty() && i < kWarmRounds + kRounds; ++i) {
    const double peer = plain.call_us();
    const auto start = Steady::now();
    auto calling = tools.front()->run(Call{id, arguments, {}});
    const auto output = co_await std::move(calling);
    const double took = micros_since(start);
    if (!output || output->text.head != "hello ") break;
    if (i < kWarmRounds) continue;
    into.ours.push_back(took);
    into.peers.push_back(peer);
  }
  co_await servers->close();
  co_await commands.close();
}

}  // namespace

void run_mcp_bench(BenchReport& report) {
  const auto zygote = sandbox::ZygoteProcess::start().value();
  const test::TempDir root;
  std::filesystem::create_directory(root / "work");
  std::filesystem::create_directory(root / "state");
  std::filesystem::copy_file(FATHOM_MCP_TEST_SERVER, root / "work/server");
  Measured measured;
  SystemClock clock;
  asio::io_context io{1};
  asio::co_spawn(io, measure(*zygote, clock, root.path(), measured), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  io.run();
  if (measured.ours.size() < kRounds) {
    report.rows.push_back({"mcp call", 0, 0, "", 0, 0, kGoalUs, "not measured: no sandbox"});
    return;
  }
  const auto peer_us = static_cast<long>(median(measured.peers));
  report.rows.push_back({"mcp call", median(measured.ours), 0, "", 0, 0, kGoalUs,
                         "plain pipes: " + std::to_string(peer_us) + " us"});
}

}  // namespace fathom::tools
