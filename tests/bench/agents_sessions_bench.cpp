// A thousand sessions side by side in one process, each with its toolbox and its journal, all of
// them waiting for the model at the same time.
#include "tests/bench/agents_bench.hpp"
#include "tests/bench/agents_bench_session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace fathom::agents {
namespace {

constexpr std::size_t kSessions = 1'000;
constexpr std::uint64_t kCallsEach = 3;
constexpr std::size_t kResultBytes = 2'000;
constexpr double kMemoryGoalMb = 1'000;
constexpr double kThreadsGoal = 16;
constexpr rlim_t kFilesOpenMin = 16'384;

// Every session keeps its journal open.
void allow_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(limit.rlim_max, std::max(limit.rlim_cur, kFilesOpenMin));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

double mb(std::uint64_t kb) { return static_cast<double>(kb) / 1024; }

}  // namespace

void run_sessions_bench(BenchReport& report) {
  allow_files();
  const BenchPlace place;
  RuntimeOptions standing;
  standing.env = place.env();
  const auto runtime = Runtime::start(std::move(standing)).value();
  CallingEngine engine(kCallsEach);
  const std::uint64_t rss_before = own_status("VmRSS");
  std::uint64_t rss_waiting = 0;
  std::uint64_t threads = 0;
  std::size_t waiting = 0;
  asio::steady_timer all_there(runtime->io(), Steady::time_point::max());
  engine.before_answer = [&]() -> asio::awaitable<void> {
    if (++waiting == kSessions) {
      rss_waiting = own_status("VmRSS");
      threads = own_status("Threads");
      all_there.cancel();
      co_return;
    }
    boost::system::error_code ignored;
    co_await all_there.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  };
  Session::Surroundings around = runtime->surroundings();
  around.open_engine = [&](std::string_view) -> asio::awaitable<Result<engine::Engine*>> {
    co_return &engine;
  };
  std::size_t ended = 0;
  std::string first_failure;
  const auto start = Steady::now();
  for (std::size_t i = 0; i < kSessions; ++i)
    asio::co_spawn(runtime->io(), one_session(around, place.session(kResultBytes)),
                   [&](std::exception_ptr error) {
                     ++ended;
                     if (!error) return;
                     // Who waits for the others would wait for ever.
                     if (++waiting == kSessions) all_there.cancel();
                     try {
                       std::rethrow_exception(error);
                     } catch (const std::exception& failed) {
                       if (first_failure.empty()) first_failure = failed.what();
                     }
                   });
  runtime->io().run();
  const double took_ms =
      std::chrono::duration<double, std::milli>(Steady::now() - start).count() / kSessions;
  if (!first_failure.empty()) rss_waiting = threads = 0;
  const double each_kb = static_cast<double>(rss_waiting - std::min(rss_waiting, rss_before)) /
                         static_cast<double>(kSessions);
  report.rows.push_back({"1,000 sessions, memory", mb(rss_waiting), "MB", kMemoryGoalMb,
                         mb(rss_before), "none of them", first_failure});
  report.rows.push_back({"a session, memory", each_kb, "kB", 0, 0, "", first_failure});
  report.rows.push_back({"1,000 sessions, threads", static_cast<double>(threads), "", kThreadsGoal,
                         0, "", first_failure});
  report.rows.push_back({"a session, start to end", took_ms, "ms", 0, 0, "",
                         std::to_string(kCallsEach) + " calls each"});
}

}  // namespace fathom::agents
