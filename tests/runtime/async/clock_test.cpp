#include "runtime/async/clock.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/async/task_group.hpp"
#include "tests/support/run_coro.hpp"

#include <boost/asio/co_spawn.hpp>

#include <vector>

using namespace fathom;
using namespace std::chrono_literals;

TEST_CASE("sleepers wake in the order of their deadlines, whatever order they began in",
          "[runtime][sim]") {
  test::for_each_seed(50, [](Simulator& sim) -> asio::awaitable<void> {
    std::vector<int> woken;
    TaskGroup group(sim.executor());
    const auto sleeper = [&](int id, Duration duration) -> asio::awaitable<void> {
      co_await sim.clock().sleep_for(duration);
      woken.push_back(id);
    };
    group.spawn(sleeper(3, 3h));
    group.spawn(sleeper(1, 1ms));
    group.spawn(sleeper(2, 2s));
    co_await group.join();
    CHECK(woken == std::vector{1, 2, 3});
    CHECK(sim.clock().now() == Instant{} + 3h);
  });
}

TEST_CASE("a deadline in the past does not sleep", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    co_await sim.clock().sleep_until(sim.clock().now());
    CHECK(sim.clock().now() == Instant{});
  });
}

TEST_CASE("a cancelled sleeper unwinds and leaves nothing behind", "[runtime][sim]") {
  test::for_each_seed(20, [](Simulator& sim) -> asio::awaitable<void> {
    bool cancelled = false;
    TaskGroup group(sim.executor());
    const auto sleeper = [&]() -> asio::awaitable<void> {
      try {
        co_await sim.clock().sleep_for(1h);
      } catch (...) {
        cancelled = is_cancellation(std::current_exception());
        throw;
      }
    };
    group.spawn(sleeper());
    co_await sim.clock().sleep_for(1s);
    group.cancel();
    co_await group.join();
    CHECK(cancelled);
    CHECK(sim.clock().sleepers() == 0);
    CHECK(sim.clock().now() == Instant{} + 1s);
  });
}

TEST_CASE("advance wakes whoever is due and nobody else", "[runtime]") {
  Simulator sim(1);
  int woken = 0;
  const auto sleeper = [&](Duration duration) -> asio::awaitable<void> {
    co_await sim.clock().sleep_for(duration);
    ++woken;
  };
  asio::co_spawn(sim.executor(), sleeper(1s), [](std::exception_ptr) {});
  asio::co_spawn(sim.executor(), sleeper(3s), [](std::exception_ptr) {});
  sim.run_steps(1000);
  sim.clock().advance(2s);
  sim.run_steps(1000);
  CHECK(woken == 1);
  CHECK(sim.clock().sleepers() == 1);
  sim.run_until_idle();
  CHECK(woken == 2);
}

TEST_CASE("the manual wall clock moves with the monotonic one", "[runtime]") {
  ManualClock clock;
  const WallTime before = clock.wall_now();
  clock.advance(90s);
  CHECK(clock.wall_now() - before == 90s);
}

TEST_CASE("the system clocks move forward and are the present", "[runtime]") {
  const SystemClock clock;
  const Instant first = clock.now();
  CHECK(clock.now() >= first);
  CHECK(clock.wall_now() > std::chrono::sys_days{std::chrono::year{2025} / 1 / 1});
}
