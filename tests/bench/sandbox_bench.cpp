// What confinement costs, as ratios to posix_spawn of the same program, interleaved in one run.
//
//   sandbox_bench [--json] [--rounds N] [--quick]
//
// - posix_spawn: /bin/true from a small parent, standard streams on /dev/null
// - full_cold: session (limits without control groups), namespaces and the command, until its
// outcome
// - full_cold_group: the same with a control group for memory; joining one of v1 waits for the
// kernel
// - full_warm: a command in a session that stands, with a cell prepared before
// - full_unprepared: the same without a prepared cell
// - landlock_rung: the container rung, warm
// - bubblewrap: bwrap with all namespaces, /proc, /dev, /tmp and a writable folder
// - full_warm_2gb: full_warm with 2 GiB resident in this process
//
// Two threads of an EPYC processor, quiet, 300 rounds (us, ratio): posix_spawn 912, full_cold
// 3739 4.10, full_warm 1378 1.51, full_unprepared 1937 2.12, landlock_rung 1133 1.24, bubblewrap
// 5976 6.55; 815 and 1317 commands a second. full_cold misses its goal of 3.5: 1500 us until the
// session stands (clone with its namespaces 170, network namespace 650 beside 450 for the mounts,
// which two threads of one core do not do at once), 1450 for the first cell.
#include "runtime/async/task_group.hpp"
#include "sandbox/environment.hpp"
#include "sandbox/launcher.hpp"
#include "sandbox/tree_meter.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace fathom::sandbox {
namespace {

using Clock_ = std::chrono::steady_clock;

constexpr std::size_t kThroughputRuns = 400;
constexpr std::size_t kParallel = 16;
constexpr std::size_t kLeakRuns = 500;
constexpr std::size_t kKillRuns = 30;
constexpr std::size_t kBigBytes = 2UL << 30;

double micros(Clock_::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

double quantile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values.empty()
             ? 0
             : values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

struct Options {
  bool json = false;
  std::size_t rounds = 300;
  bool quick = false;
};

void spawn_and_wait(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (const int fd : {0, 1, 2})
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  pid_t pid = -1;
  if (posix_spawnp(&pid, pointers[0], &files, nullptr, pointers.data(), environ) == 0)
    ::waitpid(pid, nullptr, 0);
  posix_spawn_file_actions_destroy(&files);
}

class Bench {
 public:
  Bench(asio::io_context& io, Options options) : io_(io), options_(options) {}

  asio::awaitable<void> run();
  void print() const;

 private:
  LauncherOptions launcher_options(Rung rung, std::size_t cells);
  asio::awaitable<std::unique_ptr<Launcher>> open(Rung rung, std::size_t cells,
                                                  GroupUse groups = GroupUse::where_possible);
  asio::awaitable<void> true_in(Launcher& launcher);
  asio::awaitable<void> interleaved();
  asio::awaitable<void> from_a_big_process();
  asio::awaitable<void> throughput();
  asio::awaitable<void> kill_tree(std::size_t processes, const char* name);
  asio::awaitable<void> leaks();
  asio::awaitable<void> settle();
  template <class Action>
  asio::awaitable<void> timed(const char* name, Action action);
  void note(const char* name, double value, const char* unit) {
    figures_.push_back({name, value, unit});
  }

  struct Figure {
    std::string name;
    double value;
    std::string unit;
  };

  asio::io_context& io_;
  Options options_;
  SystemClock clock_;
  std::unique_ptr<ZygoteProcess> zygote_;
  HostFacts host_ = look_at_host(process_env);
  FilterCache filters_;
  std::filesystem::path root_;
  std::map<std::string, std::vector<double>> times_;
  std::vector<Figure> figures_;
};

LauncherOptions Bench::launcher_options(Rung rung, std::size_t cells) {
  LauncherOptions options;
  options.host = host_;
  options.workspace = *open_workspace((root_ / "work").string(), options.host);
  options.environment = process_environment();
  options.state = root_ / "state";
  options.rung = rung;
  options.prepared_cells = cells;
  options.filters = &filters_;
  return options;
}

asio::awaitable<std::unique_ptr<Launcher>> Bench::open(Rung rung, std::size_t cells,
                                                       GroupUse groups) {
  LauncherOptions options = launcher_options(rung, cells);
  options.groups = groups;
  auto launcher = co_await Launcher::open(*zygote_, clock_, std::move(options));
  if (!launcher) {
    std::fprintf(stderr, "sandbox_bench: %s\n", launcher.error().message.c_str());
    std::exit(12);
  }
  co_return *std::move(launcher);
}

asio::awaitable<void> Bench::true_in(Launcher& launcher) {
  Command command;
  command.argv = {"/bin/true"};
  const Outcome outcome = co_await launcher.run(std::move(command));
  if (outcome.ending != Ending::exited || outcome.exit_code != 0) {
    std::fprintf(stderr, "sandbox_bench: %s\n", summary(outcome).c_str());
    std::exit(1);
  }
}

template <class Action>
asio::awaitable<void> Bench::timed(const char* name, Action action) {
  const auto start = Clock_::now();
  co_await action();
  times_[name].push_back(micros(Clock_::now() - start));
}

// A prepared cell is refilled beside the caller's other work; what is measured is the command.
asio::awaitable<void> Bench::settle() {
  asio::steady_timer timer(io_, std::chrono::milliseconds(3));
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> Bench::interleaved() {
  auto warm = co_await open(Rung::full, 1);
  auto unprepared = co_await open(Rung::full, 0);
  auto container = co_await open(Rung::container, 1);
  const std::vector<std::string> bwrap = {"bwrap",
                                          "--unshare-all",
                                          "--ro-bind",
                                          "/",
                                          "/",
                                          "--proc",
                                          "/proc",
                                          "--dev",
                                          "/dev",
                                          "--tmpfs",
                                          "/tmp",
                                          "--bind",
                                          (root_ / "work").string(),
                                          (root_ / "work").string(),
                                          "--die-with-parent",
                                          "/bin/true"};
  for (std::size_t round = 0; round < options_.rounds; ++round) {
    co_await settle();
    co_await timed("posix_spawn", []() -> asio::awaitable<void> {
      spawn_and_wait({"/bin/true"});
      co_return;
    });
    std::unique_ptr<Launcher> cold;
    co_await timed("full_cold", [&]() -> asio::awaitable<void> {
      cold = co_await open(Rung::full, 0, GroupUse::never);
      co_await true_in(*cold);
    });
    co_await cold->close();
    co_await settle();
    co_await timed("full_cold_group", [&]() -> asio::awaitable<void> {
      cold = co_await open(Rung::full, 0);
      co_await true_in(*cold);
    });
    co_await cold->close();
    co_await settle();
    co_await timed("full_warm", [&] { return true_in(*warm); });
    co_await settle();
    co_await timed("full_unprepared", [&] { return true_in(*unprepared); });
    co_await timed("landlock_rung", [&] { return true_in(*container); });
    co_await settle();
    co_await timed("bubblewrap", [&]() -> asio::awaitable<void> {
      spawn_and_wait(bwrap);
      co_return;
    });
  }
  co_await warm->close();
  co_await unprepared->close();
  co_await container->close();
}

asio::awaitable<void> Bench::from_a_big_process() {
  void* big = ::mmap(nullptr, kBigBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  auto warm = co_await open(Rung::full, 1);
  for (std::size_t round = 0; round < options_.rounds; ++round) {
    co_await settle();
    co_await timed("full_warm_2gb", [&] { return true_in(*warm); });
  }
  co_await warm->close();
  ::munmap(big, kBigBytes);
}

asio::awaitable<void> Bench::throughput() {
  auto launcher = co_await open(Rung::full, 2);
  const auto start = Clock_::now();
  for (std::size_t i = 0; i < kThroughputRuns; ++i) co_await true_in(*launcher);
  note("launches_per_s", static_cast<double>(kThroughputRuns) * 1e6 / micros(Clock_::now() - start),
       "/s");

  std::size_t left = kThroughputRuns * 2;
  const auto parallel = Clock_::now();
  TaskGroup workers(io_.get_executor());
  for (std::size_t i = 0; i < kParallel; ++i)
    workers.spawn([](Bench& self, Launcher& in, std::size_t& todo) -> asio::awaitable<void> {
      while (todo > 0) {
        --todo;
        co_await self.true_in(in);
      }
    }(*this, *launcher, left));
  co_await workers.join();
  note("launches_per_s_16_parallel",
       static_cast<double>(kThroughputRuns * 2) * 1e6 / micros(Clock_::now() - parallel), "/s");
  co_await launcher->close();
}

// From the deadline until the outcome is known, which is after the last process has gone.
asio::awaitable<void> Bench::kill_tree(std::size_t processes, const char* name) {
  auto launcher = co_await open(Rung::full, 1);
  const std::string script = "trap '' TERM HUP; i=0; while [ $i -lt " + std::to_string(processes) +
                             " ]; do setsid sleep 1000 & i=$((i+1)); done; echo ready; sleep 1000";
  for (std::size_t run = 0; run < kKillRuns; ++run) {
    Command command;
    command.argv = {"/bin/sh", "-c", script};
    const auto time = std::chrono::milliseconds(processes > 100 ? 3000 : 400);
    command.time = time;
    bool ready = false;
    command.on_output = [&](OutputStream, std::string_view) { ready = true; };
    const auto start = Clock_::now();
    const Outcome outcome = co_await launcher->run(std::move(command));
    const double late = micros(Clock_::now() - start) - micros(time);
    if (!ready || outcome.ending != Ending::deadline) {
      std::fprintf(stderr, "sandbox_bench: %s: the tree was not up before the deadline: %s\n", name,
                   summary(outcome).c_str());
      continue;
    }
    times_[name].push_back(late);
    if (options_.quick && run >= 5) break;
  }
  co_await launcher->close();
}

std::size_t entries_of(const char* folder) {
  DIR* dir = ::opendir(folder);
  std::size_t count = 0;
  while (dir != nullptr && ::readdir(dir) != nullptr) ++count;
  if (dir != nullptr) ::closedir(dir);
  return count;
}

std::size_t lines_of(const char* file) {
  std::ifstream in(file);
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

asio::awaitable<void> Bench::leaks() {
  co_await settle();
  const std::size_t fds = entries_of("/proc/self/fd");
  const std::size_t mounts = lines_of("/proc/self/mountinfo");
  const std::uint32_t processes = measure_tree(::getpid()).processes;
  for (std::size_t i = 0; i < kLeakRuns / 10; ++i) {
    auto launcher = co_await open(Rung::full, 1);
    for (int run = 0; run < 10; ++run) co_await true_in(*launcher);
    co_await launcher->close();
  }
  co_await settle();
  const auto grown = [](std::size_t now, std::size_t before) {
    return static_cast<double>(now) - static_cast<double>(before);
  };
  note("fds_left_after_500", grown(entries_of("/proc/self/fd"), fds), "");
  note("mounts_left_after_500", grown(lines_of("/proc/self/mountinfo"), mounts), "");
  note("processes_left_after_500", grown(measure_tree(::getpid()).processes, processes), "");
  std::size_t groups = 0;
  const GroupParents parents = find_group_parents();
  for (const std::string* parent :
       {&parents.unified, &parents.memory, &parents.pids, &parents.cpu}) {
    std::error_code ignored;
    if (parent->empty()) continue;
    for (const auto& entry : std::filesystem::directory_iterator(*parent, ignored))
      groups += entry.path().filename().string().starts_with("fathom-" + std::to_string(::getpid()))
                    ? 1
                    : 0;
  }
  note("groups_left_after_500", static_cast<double>(groups), "");

  const auto rss = [](pid_t pid) { return measure_tree(pid).memory_bytes; };
  auto one = co_await open(Rung::full, 1);
  note("supervisor_bytes_one_session", static_cast<double>(rss(zygote_->pid())), "B");
  co_await one->close();
}

asio::awaitable<void> Bench::run() {
  auto zygote = ZygoteProcess::start();
  if (!zygote) {
    std::fprintf(stderr, "sandbox_bench: %s\n", zygote.error().message.c_str());
    std::exit(12);
  }
  zygote_ = *std::move(zygote);
  std::string folder = "/tmp/fathom-bench-XXXXXX";
  root_ = ::mkdtemp(folder.data());
  std::filesystem::create_directory(root_ / "work");
  std::filesystem::create_directory(root_ / "state");
  co_await interleaved();
  co_await from_a_big_process();
  co_await throughput();
  co_await kill_tree(50, "kill_50_late");
  co_await kill_tree(900, "kill_900_late");
  co_await leaks();
  zygote_.reset();
  std::filesystem::remove_all(root_);
}

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "";
}

void Bench::print() const {
  const double base = quantile(times_.at("posix_spawn"), 0.5);
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const auto& [name, values] : times_)
    results.push_back({{"name", name},
                       {"median_us", quantile(values, 0.5)},
                       {"ratio", quantile(values, 0.5) / base},
                       {"p99_us", quantile(values, 0.99)},
                       {"rounds", values.size()}});
  for (const Figure& figure : figures_)
    results.push_back({{"name", figure.name}, {"value", figure.value}, {"unit", figure.unit}});
  if (options_.json) {
    std::printf(
        "%s\n",
        nlohmann::ordered_json({{"cpu", cpu_model()}, {"results", results}}).dump(2).c_str());
    return;
  }
  std::printf("%-28s %10s %7s %10s\n", "", "median us", "ratio", "p99 us");
  for (const auto& [name, values] : times_)
    std::printf("%-28s %10.0f %7.2f %10.0f\n", name.c_str(), quantile(values, 0.5),
                quantile(values, 0.5) / base, quantile(values, 0.99));
  for (const Figure& figure : figures_)
    std::printf("%-28s %10.0f %s\n", figure.name.c_str(), figure.value, figure.unit.c_str());
}

}  // namespace
}  // namespace fathom::sandbox

int main(int argc, char** argv) {
  fathom::sandbox::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--json")
      options.json = true;
    else if (word == "--quick") {
      options.quick = true;
      options.rounds = 50;
    } else if (word == "--rounds" && i + 1 < argc)
      options.rounds = std::strtoul(argv[++i], nullptr, 10);
    else
      return std::fprintf(stderr, "usage: sandbox_bench [--json] [--quick] [--rounds N]\n"), 64;
  }
  boost::asio::io_context io{1};
  fathom::sandbox::Bench bench(io, options);
  boost::asio::co_spawn(io, bench.run(), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  io.run();
  bench.print();
}
