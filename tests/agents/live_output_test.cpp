#include "agents/live_output.hpp"

#include "runtime/async/task_group.hpp"
#include "tests/support/run_coro.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Watched {
  explicit Watched(Simulator& sim) : clock(sim.clock()), live(sim.executor(), sim.clock()) {}

  asio::awaitable<void> follow() {
    return live.follow([this](std::string_view type, const std::string& data) {
      CHECK(type == "tool.output");
      const json said = json::parse(data);
      events.emplace_back(said["call"], said["text"]);
      times.push_back(clock.now() - Instant{});
    });
  }

  Clock& clock;
  LiveOutput live;
  std::vector<std::pair<std::string, std::string>> events;
  std::vector<Duration> times;
};

using Events = std::vector<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE("what is printed quickly is shown a few times a second, and its end always", "[agents]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Watched watched(sim);
    TaskGroup group(sim.executor());
    group.spawn(watched.follow());
    for (int i = 0; i < 1000; ++i) {
      watched.live.add("c1", "line " + std::to_string(i) + "\n");
      co_await sim.clock().sleep_for(1ms);
    }
    co_await sim.clock().sleep_for(1h);
    group.cancel();
    co_await group.join();
    CHECK(watched.events.size() >= 10);
    CHECK(watched.events.size() <= 11);
    CHECK(watched.events.front().second == "line 0\n");
    CHECK(watched.events.back().second.ends_with("line 999\n"));
    for (std::size_t i = 1; i < watched.times.size(); ++i)
      CHECK(watched.times[i] - watched.times[i - 1] >= LiveOutput::kInterval);
  });
}

TEST_CASE("of a flood only the end is kept, and of a character cut in two a mark", "[agents]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Watched watched(sim);
    TaskGroup group(sim.executor());
    watched.live.add("c0", "before anybody watched");
    group.spawn(watched.follow());
    co_await sim.clock().sleep_for(1ms);
    std::string flood;
    for (std::size_t i = 0; i <= LiveOutput::kTextBytesMax; ++i) flood += "\u00e9";
    watched.live.add("c1", flood + "x");
    watched.live.add("c2", "quiet");
    co_await sim.clock().sleep_for(1s);
    group.cancel();
    co_await group.join();
    REQUIRE(watched.events.size() == 2);
    CHECK(watched.events[0].first == "c1");
    CHECK(watched.events[0].second.size() <= LiveOutput::kTextBytesMax + 3);
    CHECK(watched.events[0].second.starts_with("\uFFFD\u00e9"));
    CHECK(watched.events[0].second.ends_with("\u00e9x"));
    CHECK(watched.events[1] == Events::value_type("c2", "quiet"));
  });
}
