#include "runtime/trace/stream.hpp"

#include "runtime/async/task_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/journal_fixture.hpp"
#include "tests/support/run_coro.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <thread>

using namespace fathom;
using namespace fathom::trace;
using namespace std::chrono_literals;
using test::draft;
using test::JournalFixture;

namespace {

// Everything a subscriber received, with the promises checked on the way.
struct Received {
  std::uint64_t durable = 0;
  std::uint64_t ephemeral = 0;
  std::uint64_t dropped = 0;
  std::uint64_t last_seq = 0;
  std::uint64_t last_sub = 0;
};

void take(Received& received, const Batch& batch, EventCodec& codec) {
  CHECK(batch.lines().size() <= Subscriber::kBatchBytesMax);
  received.dropped += batch.ephemeral_dropped;
  if (batch.durable && !batch.ended) {
    CHECK(batch.from == received.last_seq + 1);
  }
  std::size_t at = 0;
  while (at < batch.lines().size()) {
    const std::size_t newline = batch.lines().find('\n', at);
    const Event event = codec.decode(batch.lines().substr(at, newline - at)).value();
    at = newline + 1;
    if (event.durability == Durability::durable) {
      if (event.at.seq != received.last_seq + 1) FAIL("gap or duplicate at seq " << event.at.seq);
      received.last_seq = event.at.seq;
      received.last_sub = 0;
      ++received.durable;
    } else {
      // Ephemeral events come behind their durable event and in order, possibly with holes.
      if (event.at.seq != received.last_seq || event.at.sub <= received.last_sub)
        FAIL("ephemeral out of place: " << event.at.seq << "/" << event.at.sub);
      received.last_sub = event.at.sub;
      ++received.ephemeral;
    }
  }
  if (batch.durable && !batch.ended) {
    CHECK(batch.to == received.last_seq);
  }
}

asio::awaitable<void> read_to_end(Subscriber& subscriber, Received& received) {
  EventCodec codec;
  for (;;) {
    auto batch = co_await subscriber.next();
    REQUIRE(batch.has_value());
    take(received, *batch, codec);
    if (batch->ended) co_return;
  }
}

}  // namespace

TEST_CASE("replay joins live without gap or duplicate under any schedule", "[runtime][sim]") {
  test::for_each_seed(300, [](Simulator& sim) -> asio::awaitable<void> {
    test::TempDir dir;
    OffloadPool pool;
    auto journal =
        Journal::open({sim.executor(), sim.clock(), pool}, dir / "j", test::some_run()).value();
    Stream stream(sim.executor(), *journal);
    const std::uint64_t total = 200 + sim.random()() % 400;
    std::uint64_t ephemeral = 0;
    const auto writer = [&]() -> asio::awaitable<void> {
      for (std::uint64_t i = 0; i < total; ++i) {
        (void)journal->append(draft("tool.started")).value();
        for (auto n = sim.random()() % 3; n > 0; --n, ++ephemeral)
          (void)journal->append(draft("model.delta", R"({"text":"hi"})")).value();
        if (sim.random()() % 4 == 0) co_await sim.clock().sleep_for(1ms);
      }
      (void)journal->flush().value();
      stream.close();
    };
    const auto reader = [&](std::uint64_t wait_ms, Received& received) -> asio::awaitable<void> {
      co_await sim.clock().sleep_for(std::chrono::milliseconds(wait_ms));
      const std::uint64_t after = sim.random()() % (journal->index()->end().seq + 1);
      auto subscriber = stream.subscribe(after).value();
      received.last_seq = after;
      received.durable = after;
      co_await read_to_end(*subscriber, received);
    };
    auto first = stream.subscribe(0).value();
    Received by_first;
    std::vector<Received> received(5);
    TaskGroup group(sim.executor());
    group.spawn(writer());
    group.spawn(read_to_end(*first, by_first));
    for (std::size_t i = 0; i < received.size(); ++i) group.spawn(reader(i * 20, received[i]));
    co_await group.join();
    for (const Received& one : received) CHECK(one.durable == total);
    CHECK(by_first.durable == total);
    // The one that was there from the start saw every ephemeral event or was told that it missed
    // it.
    CHECK(by_first.ephemeral + by_first.dropped == ephemeral);
  });
}

TEST_CASE("a subscription says how it begins", "[runtime]") {
  JournalFixture fixture;
  fixture.fill(1000);
  auto journal = fixture.open().value();
  Stream stream(fixture.sim.executor(), *journal);
  CHECK(stream.subscribe(0).value()->outcome() == Outcome::replaying);
  CHECK(stream.subscribe(999).value()->outcome() == Outcome::replaying);
  CHECK(stream.subscribe(1000).value()->outcome() == Outcome::up_to_date);
  CHECK(stream.subscribe(1001).value()->outcome() == Outcome::unknown_seq);
  const auto body = [&]() -> asio::awaitable<void> {
    for (const std::uint64_t after : {0u, 1u, 255u, 256u, 257u, 600u, 999u}) {
      auto subscriber = stream.subscribe(after).value();
      const Batch batch = (co_await subscriber->next()).value();
      CHECK(batch.from == after + 1);
    }
  };
  fixture.sim.run(body());
}

TEST_CASE("a subscriber who is too slow for the ring is told how much it missed", "[runtime]") {
  JournalFixture fixture;
  auto journal = fixture.open().value();
  Stream stream(fixture.sim.executor(), *journal);
  const auto body = [&]() -> asio::awaitable<void> {
    (void)journal->append(draft("run.started")).value();
    (void)journal->flush().value();
    auto subscriber = stream.subscribe(1).value();
    constexpr std::uint64_t kEvents = 5000;
    for (std::uint64_t i = 0; i < kEvents; ++i) (void)journal->append(draft("model.delta")).value();
    stream.close();
    Received received{.last_seq = 1};
    co_await read_to_end(*subscriber, received);
    CHECK(received.dropped > 0);
    CHECK(received.ephemeral + received.dropped == kEvents);
    CHECK(received.ephemeral * 200 > Stream::kRingBytesMax / 2);
  };
  fixture.sim.run(body());
}

TEST_CASE("the number of subscribers is bounded", "[runtime]") {
  JournalFixture fixture;
  auto journal = fixture.open().value();
  Stream stream(fixture.sim.executor(), *journal);
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  subscribers.reserve(Stream::kSubscribersMax);
  for (std::size_t i = 0; i < Stream::kSubscribersMax; ++i)
    subscribers.push_back(stream.subscribe(0).value());
  CHECK(stream.subscribe(0).error().code == ErrorCode::too_large);
  subscribers.pop_back();
  CHECK(stream.subscribe(0).has_value());
}

TEST_CASE("a waiting subscriber can be cancelled and the stream goes on", "[runtime][sim]") {
  test::for_each_seed(50, [](Simulator& sim) -> asio::awaitable<void> {
    test::TempDir dir;
    OffloadPool pool;
    auto journal =
        Journal::open({sim.executor(), sim.clock(), pool}, dir / "j", test::some_run()).value();
    Stream stream(sim.executor(), *journal);
    const auto waiting = [&]() -> asio::awaitable<void> {
      auto subscriber = stream.subscribe(0).value();
      (void)co_await subscriber->next();
      FAIL("nothing was written");
    };
    TaskGroup group(sim.executor());
    group.spawn(waiting());
    co_await sim.clock().sleep_for(1s);
    group.cancel();
    co_await group.join();
    (void)journal->append(draft("run.started")).value();
    (void)journal->flush().value();
    auto subscriber = stream.subscribe(0).value();
    CHECK((co_await subscriber->next()).value().to == 1);
  });
}

TEST_CASE("subscribers on another thread than the writer's see every event", "[runtime]") {
  test::TempDir dir;
  OffloadPool pool;
  SystemClock clock;
  asio::io_context writer_io{1};
  asio::io_context reader_io{1};
  auto journal =
      Journal::open({writer_io.get_executor(), clock, pool}, dir / "j", test::some_run()).value();
  Stream stream(reader_io.get_executor(), *journal);
  constexpr std::uint64_t kEvents = 20'000;
  std::vector<Received> received(4);
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  for (auto& one : received) {
    subscribers.push_back(stream.subscribe(0).value());
    asio::co_spawn(reader_io, read_to_end(*subscribers.back(), one),
                   [](std::exception_ptr e) { CHECK_FALSE(e); });
  }
  std::thread reader([&] { reader_io.run(); });
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    (void)journal->append(draft("tool.started")).value();
    if (i % 100 == 0) (void)journal->append(draft("model.delta")).value();
    if (i % 37 == 0) (void)journal->flush().value();
  }
  (void)journal->flush().value();
  stream.close();
  reader.join();
  for (const Received& one : received) CHECK(one.durable == kEvents);
  subscribers.clear();
}
