#include "runtime/async/timeout.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/async/task_group.hpp"
#include "tests/support/run_coro.hpp"

#include <stdexcept>

using namespace fathom;
using namespace std::chrono_literals;

namespace {

asio::awaitable<Result<int>> answer_after(Clock& clock, Duration duration) {
  co_await clock.sleep_for(duration);
  co_return 42;
}

}  // namespace

TEST_CASE("a task that ends in time gives its own answer", "[runtime][sim]") {
  test::for_each_seed(50, [](Simulator& sim) -> asio::awaitable<void> {
    auto task = answer_after(sim.clock(), 1s);
    const Result<int> answer = co_await with_timeout(sim.clock(), 5s, "think", std::move(task));
    CHECK(answer.value() == 42);
    CHECK(sim.clock().now() == Instant{} + 1s);
    CHECK(sim.clock().sleepers() == 0);
  });
}

TEST_CASE("a task that is late is cancelled, waited for, and named", "[runtime][sim]") {
  test::for_each_seed(50, [](Simulator& sim) -> asio::awaitable<void> {
    auto task = answer_after(sim.clock(), 1h);
    const Result<int> answer = co_await with_timeout(sim.clock(), 5s, "think", std::move(task));
    CHECK(answer.error() == Error{ErrorCode::timeout, "think: timed out"});
    CHECK(sim.clock().now() == Instant{} + 5s);
    CHECK(sim.clock().sleepers() == 0);
  });
}

TEST_CASE("a task that throws is heard at once, not after the timeout", "[runtime][sim]") {
  test::for_each_seed(50, [](Simulator& sim) -> asio::awaitable<void> {
    const auto throwing = [&]() -> asio::awaitable<Result<int>> {
      co_await sim.clock().sleep_for(1s);
      throw std::logic_error("bug");
    };
    bool heard = false;
    try {
      auto task = throwing();
      (void)co_await with_timeout(sim.clock(), 1h, "think", std::move(task));
    } catch (const std::logic_error&) {
      heard = true;
    }
    CHECK(heard);
    CHECK(sim.clock().now() == Instant{} + 1s);
  });
}

TEST_CASE("cancelling the caller cancels the task and unwinds", "[runtime][sim]") {
  test::for_each_seed(50, [](Simulator& sim) -> asio::awaitable<void> {
    bool unwound = false;
    const auto caller = [&]() -> asio::awaitable<void> {
      try {
        auto task = answer_after(sim.clock(), 1h);
        (void)co_await with_timeout(sim.clock(), 2h, "think", std::move(task));
      } catch (...) {
        unwound = is_cancellation(std::current_exception());
        throw;
      }
    };
    TaskGroup group(sim.executor());
    group.spawn(caller());
    co_await sim.clock().sleep_for(1s);
    group.cancel();
    co_await group.join();
    CHECK(unwound);
    CHECK(sim.clock().sleepers() == 0);
  });
}
