// search through its whole path (sandbox, ripgrep, parsing, order) beside ripgrep started plainly
// on the same tree, interleaved: 5,000 files of 4 KiB, a pattern with 50 matches.
#include "sandbox/environment.hpp"
#include "tests/bench/plain_program.hpp"
#include "tests/bench/tools_bench.hpp"
#include "tools/search/search_tool.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace fathom::tools {
namespace {

using Steady = std::chrono::steady_clock;

constexpr int kFiles = 5'000;
constexpr int kFilesAFolder = 50;
constexpr int kRounds = 60;
constexpr double kRatioMax = 1.3;

double micros_since(Steady::time_point start) {
  return std::chrono::duration<double, std::micro>(Steady::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.at(values.size() / 2);
}

void write_tree(const std::filesystem::path& root) {
  for (int i = 0; i < kFiles; ++i) {
    const auto folder = root / ("d" + std::to_string(i / kFilesAFolder));
    std::filesystem::create_directories(folder);
    std::ofstream file(folder / ("f" + std::to_string(i) + ".txt"));
    for (int line = 0; line < 80; ++line)
      file << "the quick brown fox " << i << " jumps over the dog " << line << "\n";
    if (i % 100 == 0) file << "a needle in " << i << "\n";
  }
}

asio::awaitable<void> measure(sandbox::ZygoteProcess& zygote, Clock& clock,
                              const std::filesystem::path& root, std::vector<double>& ours,
                              std::vector<double>& peers) {
  sandbox::LauncherOptions options;
  options.host = sandbox::look_at_host(process_env);
  options.workspace = sandbox::open_workspace(root.string(), options.host).value();
  options.policy.filesystem.workspace_root = options.workspace.root;
  options.policy.filesystem.home_root = options.host.home;
  options.environment = sandbox::process_environment();
  options.state = root.parent_path() / "state";
  std::filesystem::create_directories(options.state);
  SandboxCommands commands(zygote, clock, std::move(options), root.parent_path() / "state");
  SearchTool tool(commands, root.string());
  const auto arguments = Arguments::parse(R"({"pattern":"needle"})").value();
  const std::string id = "c";
  const Call call{id, arguments, {}};
  for (int i = 0; i < kRounds + 3; ++i) {
    const double peer = plain_us(root, {"rg", "--line-number", "needle", "--", root.string()});
    const auto start = Steady::now();
    auto searching = tool.run(call);
    const auto output = co_await std::move(searching);
    const double took = micros_since(start);
    if (!output || !output->digest.starts_with("50 matches")) {
      std::fprintf(stderr, "search: %s\n",
                   output ? output->digest.c_str() : output.error().message.c_str());
      break;
    }
    if (i < 3) continue;  // caches warm up
    ours.push_back(took);
    peers.push_back(peer);
  }
  co_await commands.close();
}

}  // namespace

void run_search_bench(BenchReport& report) {
  const auto zygote = sandbox::ZygoteProcess::start().value();
  std::string dir = "/tmp/fathom-search-bench-XXXXXX";
  if (::mkdtemp(dir.data()) == nullptr) return;
  const std::filesystem::path root = std::filesystem::path(dir) / "tree";
  write_tree(root);
  std::vector<double> ours;
  std::vector<double> peers;
  SystemClock clock;
  asio::io_context io{1};
  asio::co_spawn(io, measure(*zygote, clock, root, ours, peers), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  io.run();
  std::filesystem::remove_all(dir);
  if (ours.size() < kRounds || peers.front() == 0) {
    report.rows.push_back(
        {"search", 0, 0, "ripgrep", 0, kRatioMax, 0, "not measured: no ripgrep or sandbox"});
    return;
  }
  const double mine = median(ours);
  const double peer = median(peers);
  report.rows.push_back(
      {"search", mine, peer, "ripgrep", mine / peer, kRatioMax, 0, "5,000 files, 50 matches"});
}

}  // namespace fathom::tools
