#include "sandbox/egress/cached_resolver.hpp"

#include "runtime/async/task_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_coro.hpp"

#include <string>
#include <vector>

using namespace fathom;
using namespace fathom::sandbox;
using namespace std::chrono_literals;

namespace {

struct Log {
  std::vector<std::string> asked;
  std::size_t at_once = 0;
  std::size_t at_once_most = 0;
};

/// Takes a second for each name; "missing…" has no address.
class SlowResolver final : public net::Resolver {
 public:
  SlowResolver(Clock& clock, Log& log) : clock_(clock), log_(log) {}

  asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string host) override {
    log_.asked.push_back(host);
    log_.at_once_most = std::max(log_.at_once_most, ++log_.at_once);
    const struct Leave {
      Log& log;
      ~Leave() { --log.at_once; }
    } leave{log_};
    co_await clock_.sleep_for(1s);
    if (host.starts_with("missing")) co_return fail(ErrorCode::not_found, "no such name");
    co_return std::vector<asio::ip::address>{asio::ip::make_address("192.0.2.1")};
  }

 private:
  Clock& clock_;
  Log& log_;
};

asio::awaitable<void> ask(CachedResolver& resolver, std::string host, int& answers) {
  const auto answer = co_await resolver.resolve(std::move(host));
  answers += answer ? 1 : 0;
}

}  // namespace

TEST_CASE("askers of one name share one look-up, and a few names are looked up at once",
          "[sandbox-egress][sim]") {
  test::for_each_seed(20, [](Simulator& simulator) -> asio::awaitable<void> {
    Log log;
    CachedResolver resolver(simulator.executor(), simulator.clock(),
                            std::make_unique<SlowResolver>(simulator.clock(), log));
    TaskGroup group(simulator.executor());
    int answers = 0;
    for (int i = 0; i < 12; ++i) group.spawn(ask(resolver, "same.test", answers));
    for (int i = 0; i < 12; ++i)
      group.spawn(ask(resolver, "n" + std::to_string(i) + ".test", answers));
    co_await group.join();
    CHECK(answers == 24);
    CHECK(log.asked.size() == 13);
    CHECK(log.at_once_most == kLookUpsAtOnceMax);
  });
}

TEST_CASE("an answer is kept for a while and a failure for a moment", "[sandbox-egress][sim]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Log log;
    Clock& clock = simulator.clock();
    CachedResolver resolver(simulator.executor(), clock,
                            std::make_unique<SlowResolver>(clock, log));
    CHECK(co_await resolver.resolve("a.test"));
    CHECK_FALSE(co_await resolver.resolve("missing.test"));
    CHECK_FALSE(co_await resolver.resolve("missing.test"));
    CHECK(co_await resolver.resolve("a.test"));
    CHECK(log.asked.size() == 2);
    co_await clock.sleep_for(2s);
    CHECK_FALSE(co_await resolver.resolve("missing.test"));
    CHECK(co_await resolver.resolve("a.test"));
    CHECK(log.asked.size() == 3);
    co_await clock.sleep_for(30s);
    CHECK(co_await resolver.resolve("a.test"));
    CHECK(log.asked.size() == 4);
  });
}

TEST_CASE("when the asker that looks a name up is cancelled, the next one does",
          "[sandbox-egress][sim]") {
  test::for_each_seed(20, [](Simulator& simulator) -> asio::awaitable<void> {
    Log log;
    CachedResolver resolver(simulator.executor(), simulator.clock(),
                            std::make_unique<SlowResolver>(simulator.clock(), log));
    TaskGroup first(simulator.executor());
    TaskGroup second(simulator.executor());
    int answers = 0;
    first.spawn(ask(resolver, "a.test", answers));
    co_await simulator.clock().sleep_for(500ms);
    second.spawn(ask(resolver, "a.test", answers));
    co_await simulator.clock().sleep_for(100ms);
    first.cancel();
    co_await first.join();
    CHECK(answers == 0);
    co_await second.join();
    CHECK(answers == 1);
    CHECK(log.asked.size() == 2);
  });
}
