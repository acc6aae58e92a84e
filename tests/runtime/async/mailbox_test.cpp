#include "runtime/async/mailbox.hpp"

#include "runtime/async/clock.hpp"
#include "runtime/async/task_group.hpp"
#include "tests/support/run_coro.hpp"

#include <algorithm>
#include <vector>

using namespace fathom;
using namespace std::chrono_literals;

TEST_CASE("every value sent is received, in order, through a small mailbox", "[runtime][sim]") {
  test::for_each_seed(100, [](Simulator& sim) -> asio::awaitable<void> {
    constexpr int kValues = 50;
    Mailbox<int> mailbox(sim.executor(), 3);
    std::vector<int> received;
    const auto sender = [&]() -> asio::awaitable<void> {
      for (int i = 0; i < kValues; ++i) CHECK(co_await mailbox.send(i));
      mailbox.close();
    };
    const auto receiver = [&]() -> asio::awaitable<void> {
      while (auto value = co_await mailbox.receive()) received.push_back(*value);
    };
    TaskGroup group(sim.executor());
    group.spawn(sender());
    group.spawn(receiver());
    co_await group.join();
    CHECK(received.size() == kValues);
    CHECK(std::ranges::is_sorted(received));
  });
}

TEST_CASE("a full mailbox refuses and a closed one says so", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Mailbox<int> mailbox(sim.executor(), 2);
    CHECK(mailbox.try_send(1));
    CHECK(mailbox.try_send(2));
    CHECK_FALSE(mailbox.try_send(3));
    mailbox.close();
    CHECK_FALSE(co_await mailbox.send(4));
    CHECK((co_await mailbox.receive()) == 1);
    CHECK((co_await mailbox.receive()) == 2);
    CHECK((co_await mailbox.receive()) == std::nullopt);
  });
}

TEST_CASE("cancelling a waiting sender or receiver unwinds it and loses nothing queued",
          "[runtime][sim]") {
  test::for_each_seed(50, [](Simulator& sim) -> asio::awaitable<void> {
    Mailbox<int> mailbox(sim.executor(), 1);
    TaskGroup senders(sim.executor());
    const auto send = [&](int value) -> asio::awaitable<void> {
      (void)co_await mailbox.send(value);
    };
    CHECK(mailbox.try_send(1));
    senders.spawn(send(2));
    co_await sim.clock().sleep_for(1s);
    senders.cancel();
    co_await senders.join();
    CHECK((co_await mailbox.receive()) == 1);

    TaskGroup receivers(sim.executor());
    const auto receive = [&]() -> asio::awaitable<void> { (void)co_await mailbox.receive(); };
    receivers.spawn(receive());
    co_await sim.clock().sleep_for(1s);
    receivers.cancel();
    co_await receivers.join();
    CHECK(mailbox.try_send(3));
    CHECK((co_await mailbox.receive()) == 3);
  });
}
