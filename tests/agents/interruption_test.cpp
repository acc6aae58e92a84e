#include "agents/interruption.hpp"

#include "agents/live_output.hpp"
#include "runtime/async/cancellation.hpp"
#include "tests/support/cancellable_task.hpp"
#include "tests/support/run_coro.hpp"

#include <stdexcept>

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;

namespace {

asio::awaitable<void> sleep_and_tell(Simulator& sim, Duration duration, bool& told) {
  if (duration.count() != 0) co_await sim.clock().sleep_for(duration);
  told = true;
}

}  // namespace

TEST_CASE("work comes to its end when nobody interrupts it, also when it never waits", "[agents]") {
  for (const Duration duration : {Duration(), Duration(1s)})
    test::for_each_seed(20, [&](Simulator& sim) -> asio::awaitable<void> {
      Control control(sim.executor());
      bool has_ended = false;
      co_await until_interrupted(control, sleep_and_tell(sim, duration, has_ended));
      CHECK(has_ended);
      CHECK(sim.clock().now() == Instant{} + duration);
    });
}

TEST_CASE("an interruption or a flag ends the work, and it is not begun when it comes too late",
          "[agents]") {
  test::for_each_seed(20, [](Simulator& sim) -> asio::awaitable<void> {
    Control control(sim.executor());
    bool has_ended = false;
    bool stop = false;
    const auto stopping = [&]() -> asio::awaitable<void> {
      co_await sim.clock().sleep_for(1s);
      stop = true;
      control.wake();
      co_await sim.clock().sleep_for(1h);
      has_ended = true;
    };
    co_await until_interrupted(control, stopping(), &stop);
    CHECK(sim.clock().now() == Instant{} + 1s);
    const auto interrupting = [&]() -> asio::awaitable<void> {
      control.interrupt();
      co_await sim.clock().sleep_for(1h);
      has_ended = true;
    };
    co_await until_interrupted(control, interrupting());
    co_await until_interrupted(control, sleep_and_tell(sim, 0s, has_ended));
    CHECK_FALSE(has_ended);
    CHECK(sim.clock().now() == Instant{} + 1s);
  });
}

TEST_CASE("what the work throws leaves the wait for an interruption", "[agents]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Control control(sim.executor());
    const auto failing = [&]() -> asio::awaitable<void> {
      co_await sim.clock().sleep_for(1s);
      throw std::runtime_error("boom");
    };
    std::string what;
    try {
      co_await until_interrupted(control, failing());
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    CHECK(what == "boom");
  });
}

TEST_CASE("work that is shown while it runs can be cancelled at every step", "[agents]") {
  bool has_come_to_its_end = false;
  for (std::uint64_t steps = 0; !has_come_to_its_end; ++steps) {
    INFO("cancelled after step " << steps);
    REQUIRE(steps < 1000);
    Simulator sim(steps + 1);
    Control control(sim.executor());
    LiveOutput live(sim.executor(), sim.clock());
    bool has_ended = false;
    const auto printing = [&]() -> asio::awaitable<void> {
      for (int i = 0; i < 3; ++i) {
        live.add("c1", "line\n");
        co_await sim.clock().sleep_for(150ms);
      }
      has_ended = true;
    };
    const auto whole = [&]() -> asio::awaitable<void> {
      auto shown = alongside(printing(), live.follow([](std::string_view, const std::string&) {}));
      co_await until_interrupted(control, std::move(shown));
    };
    test::CancellableTask task(sim, whole());
    const bool is_cancelled = task.cancel_after(steps);
    has_come_to_its_end = !is_cancelled;
    if (task.thrown()) CHECK(is_cancellation(task.thrown()));
    CHECK((has_ended || task.thrown()));  // both when it was cancelled behind its end
    CHECK(sim.clock().sleepers() == 0);
  }
}
