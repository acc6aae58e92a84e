#include "runtime/async/task_group.hpp"

#include "runtime/async/cancellation.hpp"
#include "tests/support/run_coro.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <stdexcept>

using namespace fathom;
using namespace std::chrono_literals;

namespace {

// Counts itself alive, so that a test sees that no child outlives its group.
struct Alive {
  int& count;
  explicit Alive(int& c) : count(c) { ++count; }
  ~Alive() { --count; }
};

}  // namespace

TEST_CASE("join waits for every child, also those spawned by children", "[runtime][sim]") {
  test::for_each_seed(100, [](Simulator& sim) -> asio::awaitable<void> {
    int done = 0;
    TaskGroup group(sim.executor());
    const auto child = [&](Duration duration) -> asio::awaitable<void> {
      co_await sim.clock().sleep_for(duration);
      ++done;
    };
    const auto parent = [&]() -> asio::awaitable<void> {
      co_await sim.clock().sleep_for(1s);
      group.spawn(child(5s));
      ++done;
    };
    group.spawn(parent());
    group.spawn(child(2s));
    co_await group.join();
    CHECK(done == 3);
    CHECK(group.size() == 0);
  });
}

TEST_CASE("the first failure cancels the siblings and leaves join", "[runtime][sim]") {
  test::for_each_seed(100, [](Simulator& sim) -> asio::awaitable<void> {
    int alive = 0;
    TaskGroup group(sim.executor());
    const auto sleeper = [&]() -> asio::awaitable<void> {
      const Alive self(alive);
      co_await sim.clock().sleep_for(1h);
    };
    const auto failing = [&]() -> asio::awaitable<void> {
      const Alive self(alive);
      co_await sim.clock().sleep_for(1s);
      throw std::runtime_error("boom");
    };
    group.spawn(sleeper());
    group.spawn(failing());
    group.spawn(sleeper());
    std::string what;
    try {
      co_await group.join();
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    CHECK(what == "boom");
    CHECK(alive == 0);
    CHECK(sim.clock().now() == Instant{} + 1s);
  });
}

TEST_CASE("a task joining a group can be cancelled after any number of steps", "[runtime][sim]") {
  // Cancel-at-every-step: whatever the moment, the group is empty when the joiner unwinds, and
  // nothing hangs.
  for (std::uint64_t steps = 0; steps < 60; ++steps) {
    INFO("cancelled after step " << steps);
    Simulator sim(steps + 1);
    int alive = 0;
    bool joiner_ended = false;
    bool was_cancelled = false;
    asio::cancellation_signal cancel;
    const auto child = [&](Duration duration) -> asio::awaitable<void> {
      const Alive self(alive);
      for (int i = 0; i < 3; ++i) co_await sim.clock().sleep_for(duration);
    };
    const auto joiner = [&]() -> asio::awaitable<void> {
      TaskGroup group(sim.executor());
      group.spawn(child(1s));
      group.spawn(child(2s));
      group.spawn(child(3s));
      co_await group.join();
    };
    asio::co_spawn(sim.executor(), joiner(),
                   asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) {
                     joiner_ended = true;
                     was_cancelled = is_cancellation(e);
                   }));
    std::uint64_t taken = 0;
    while (taken < steps) {
      const auto now = sim.run_steps(steps - taken);
      taken += now;
      if (now == 0 && !sim.clock().jump()) break;
    }
    const bool ended_before = joiner_ended;
    cancel.emit(asio::cancellation_type::terminal);
    sim.run_until_idle();
    CHECK(joiner_ended);
    CHECK(alive == 0);
    CHECK(sim.clock().sleepers() == 0);
    CHECK((ended_before || was_cancelled));
  }
}

TEST_CASE("a task that joined a group can still be cancelled afterwards", "[runtime][sim]") {
  test::for_each_seed(20, [](Simulator& sim) -> asio::awaitable<void> {
    bool slept_on = false;
    const auto joins_then_sleeps = [&]() -> asio::awaitable<void> {
      TaskGroup inner(sim.executor());
      co_await inner.join();
      // Cancelled here, where no operation waits: the next one must notice.
      co_await sim.clock().sleep_for(1s);
      co_await sim.clock().sleep_for(1h);
      slept_on = true;
    };
    TaskGroup outer(sim.executor());
    outer.spawn(joins_then_sleeps());
    co_await sim.clock().sleep_for(500ms);
    outer.cancel();
    co_await outer.join();
    CHECK_FALSE(slept_on);
  });
}

TEST_CASE("a cancellation that came before the join of an empty group is not lost", "[runtime]") {
  Simulator sim(1);
  bool slept_on = false;
  asio::cancellation_signal cancel;
  const auto body = [&]() -> asio::awaitable<void> {
    // Boost 1.81 loses a coroutine that is cancelled before it was suspended once.
    co_await sim.clock().sleep_for(1ms);
    cancel.emit(asio::cancellation_type::terminal);
    TaskGroup group(sim.executor());
    bool told = false;
    try {
      co_await group.join();
    } catch (const boost::system::system_error&) {
      told = true;
    }
    CHECK(told);
    co_await sim.clock().sleep_for(1h);  // unwinds at once: the task stays cancelled
    slept_on = true;
  };
  bool unwound = false;
  asio::co_spawn(sim.executor(), body(),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr error) {
                   unwound = is_cancellation(error);
                 }));
  sim.run_until_idle();
  CHECK(unwound);
  CHECK_FALSE(slept_on);
}

TEST_CASE("cancelling the group is not a failure", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    TaskGroup group(sim.executor());
    group.spawn(sim.clock().sleep_for(1h));
    co_await sim.clock().sleep_for(1s);
    group.cancel();
    co_await group.join();
    CHECK(group.size() == 0);
  });
}

TEST_CASE("an empty group joins at once", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    TaskGroup group(sim.executor());
    co_await group.join();
    SUCCEED();
  });
}

TEST_CASE("a child that cancels its own group before it has waited still ends", "[runtime][sim]") {
  test::for_each_seed(20, [](Simulator& sim) -> asio::awaitable<void> {
    int alive = 0;
    bool slept_on = false;
    TaskGroup group(sim.executor());
    const auto sleeper = [&]() -> asio::awaitable<void> {
      const Alive self(alive);
      co_await sim.clock().sleep_for(1h);
      slept_on = true;
    };
    const auto returns = [&]() -> asio::awaitable<void> {
      const Alive self(alive);
      group.cancel();
      co_return;
    };
    const auto waits = [&]() -> asio::awaitable<void> {
      const Alive self(alive);
      group.cancel();
      co_await sim.clock().sleep_for(1h);
      slept_on = true;
    };
    group.spawn(sleeper());
    group.spawn(returns());
    group.spawn(sleeper());
    group.spawn(waits());
    co_await group.join();
    CHECK(alive == 0);
    CHECK_FALSE(slept_on);
    CHECK(sim.clock().now() == Instant{});
  });
}

TEST_CASE("a child that fails before it has waited leaves join with its failure",
          "[runtime][sim]") {
  test::for_each_seed(20, [](Simulator& sim) -> asio::awaitable<void> {
    TaskGroup group(sim.executor());
    const auto fails = [&]() -> asio::awaitable<void> {
      group.cancel();
      throw std::runtime_error("boom");
      co_return;
    };
    group.spawn(fails());
    std::string what;
    try {
      co_await group.join();
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    CHECK(what == "boom");
  });
}

TEST_CASE("children that are cancelled before they begin never do, and are joined", "[runtime]") {
  Simulator sim(1);
  TaskGroup group(sim.executor());
  int begun = 0;
  const auto child = [&]() -> asio::awaitable<void> {
    ++begun;
    co_await sim.clock().sleep_for(1h);
  };
  // Outside of the executor, where a child begins later.
  group.spawn(child());
  group.spawn(child());
  group.cancel();
  sim.run(group.join());
  CHECK(begun == 0);
  CHECK(group.size() == 0);
  CHECK(sim.clock().now() == Instant{});
}
