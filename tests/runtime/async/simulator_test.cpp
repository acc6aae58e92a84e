#include "runtime/async/simulator.hpp"

#include "runtime/async/task_group.hpp"
#include "tests/support/run_coro.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <set>
#include <stdexcept>
#include <vector>

using namespace fathom;
using namespace std::chrono_literals;

namespace {

// The order in which three equal tasks finish under one seed.
std::vector<int> order_of(std::uint64_t seed) {
  Simulator sim(seed);
  std::vector<int> order;
  const auto body = [&]() -> asio::awaitable<void> {
    TaskGroup group(sim.executor());
    const auto child = [&](int id) -> asio::awaitable<void> {
      co_await asio::post(sim.executor(), asio::use_awaitable);
      order.push_back(id);
    };
    for (int id = 0; id < 3; ++id) group.spawn(child(id));
    co_await group.join();
  };
  sim.run(body());
  return order;
}

}  // namespace

TEST_CASE("a seed repeats its schedule and different seeds explore different ones",
          "[runtime][sim]") {
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CHECK(order_of(seed) == order_of(seed));
    orders.insert(order_of(seed));
  }
  CHECK(orders.size() == 6);  // all permutations of three
}

TEST_CASE("a task that waits for nothing is reported as standing still, with its seed",
          "[runtime]") {
  Simulator sim(77);
  const auto stuck = [&]() -> asio::awaitable<void> {
    asio::steady_timer never(sim.executor(), asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
  };
  std::string what;
  try {
    sim.run(stuck());
  } catch (const std::runtime_error& e) {
    what = e.what();
  }
  CHECK(what.find("seed 77 stands still") != std::string::npos);
}

TEST_CASE("years of virtual time pass at once", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    for (int day = 0; day < 3650; ++day) co_await sim.clock().sleep_for(24h);
    CHECK(sim.clock().now() == Instant{} + 24h * 3650);
  });
}
