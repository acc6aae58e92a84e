// The connection's decisions over a transport that is a script, on virtual time. Real servers are
// in stdio_transport_test.cpp and http_transport_test.cpp.
#include "tools/mcp/mcp_connection.hpp"

#include "runtime/async/task_group.hpp"
#include "tests/support/run_coro.hpp"

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

using namespace fathom;
using namespace fathom::tools;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// What the server does with a message; what it says comes after `delay`.
class Script : public McpTransport {
 public:
  struct Log {
    std::vector<json> heard;
    std::size_t opened = 0;
    std::size_t closed = 0;
  };
  using Server = std::function<void(Script&, const json&)>;

  Script(Simulator& sim, Log& log, Server server)
      : sim_(sim), log_(log), server_(std::move(server)) {}

  asio::awaitable<Result<>> open(McpSink& sink) override {
    sink_ = &sink;
    ++log_.opened;
    tasks_.emplace(sim_.executor());
    co_return Result<>{};
  }
  Result<> send(Outgoing outgoing) override {
    log_.heard.push_back(json::parse(outgoing.frame));
    server_(*this, log_.heard.back());
    return {};
  }
  void drop(std::uint64_t) override {}
  void set_version(std::string_view) override {}
  void abort() override {
    if (tasks_) tasks_->cancel();
  }
  asio::awaitable<void> close() override {
    if (!tasks_) co_return;
    struct Reset {
      std::optional<TaskGroup>& group;
      ~Reset() {
        if (group->size() == 0) group.reset();
      }
    } const reset{tasks_};
    ++log_.closed;
    tasks_->cancel();
    co_await tasks_->join();
  }
  [[nodiscard]] policies::Request request() const override { return policies::request::Exec{}; }

  void say(const json& frame, Duration delay = {}) { tasks_->spawn(later(frame.dump(), delay)); }
  void answer(const json& request, const json& result, Duration delay = {}) {
    say({{"jsonrpc", "2.0"}, {"id", request["id"]}, {"result", result}}, delay);
  }
  void progress(const json& request, Duration delay) {
    say({{"jsonrpc", "2.0"},
         {"method", "notifications/progress"},
         {"params",
          {{"progressToken", request["params"]["_meta"]["progressToken"]}, {"progress", 1}}}},
        delay);
  }
  void die(Error why) { tasks_->spawn(end(std::move(why))); }

 private:
  asio::awaitable<void> later(std::string frame, Duration delay) {
    if (delay > Duration{}) co_await sim_.clock().sleep_for(delay);
    sink_->on_frame(frame);
    co_return;
  }
  asio::awaitable<void> end(Error why) {
    sink_->on_closed(std::move(why));
    co_return;
  }

  Simulator& sim_;
  Log& log_;
  Server server_;
  McpSink* sink_ = nullptr;
  std::optional<TaskGroup> tasks_;
};

json described(const std::string& name) {
  return {{"name", name}, {"description", "d"}, {"inputSchema", {{"type", "object"}}}};
}

// Answers the handshake and one page of tools; `on_call` has the rest.
Script::Server server_with(Script::Server on_call) {
  return [on_call = std::move(on_call)](Script& script, const json& message) {
    const std::string method = message.value("method", "");
    if (method == "initialize")
      script.answer(message, {{"protocolVersion", std::string(kMcpVersion)},
                              {"capabilities", {{"tools", json::object()}}},
                              {"serverInfo", {{"name", "s"}, {"version", "1"}}}});
    else if (method == "tools/list")
      script.answer(message, {{"tools", {described("a"), described("b")}}});
    else if (method == "tools/call")
      on_call(script, message);
  };
}

const json kDone = {{"content", json::array()}};

struct Fixture {
  Script::Log log;
  McpConnection connection;
  Fixture(Simulator& sim, Script::Server server)
      : connection(sim.executor(), sim.clock(), "x",
                   std::make_unique<Script>(sim, log, std::move(server))) {}

  [[nodiscard]] std::size_t heard(std::string_view method) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        log.heard, [&](const json& message) { return message.value("method", "") == method; }));
  }
};

asio::awaitable<Result<std::string>> call(McpConnection& connection) {
  auto calling = connection.call("a", "{}", {});
  co_return co_await std::move(calling);
}

}  // namespace

TEST_CASE("a start shakes hands and takes all pages of the tool list", "[tools][sim]") {
  test::for_each_seed(10, [](Simulator& sim) -> asio::awaitable<void> {
    const auto plain = server_with({});
    Fixture fixture(sim, [&](Script& script, const json& message) {
      if (message.value("method", "") != "tools/list") return plain(script, message);
      const std::string cursor = message["params"].value("cursor", "");
      if (cursor.empty())
        script.answer(message, {{"tools", {described("a"), described("a")}}, {"nextCursor", "2"}});
      else
        script.answer(message, {{"tools", {described("b")}}});
    });
    CHECK(co_await fixture.connection.start());
    CHECK(fixture.log.heard.at(0)["method"] == "initialize");
    CHECK(fixture.log.heard.at(1)["method"] == "notifications/initialized");
    CHECK(fixture.log.heard.size() == 4);
    const auto& tools = fixture.connection.tools();
    REQUIRE(tools.size() == 2);
    CHECK(tools[0].name == "a");
    CHECK(tools[1].name == "b");
    CHECK(fixture.connection.notes() == std::vector<std::string>{"tool 'a' stands twice"});
    co_await fixture.connection.close();
  });
}

TEST_CASE("a tool list that never ends is cut", "[tools]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    const auto plain = server_with({});
    Fixture fixture(sim, [&](Script& script, const json& message) {
      if (message.value("method", "") != "tools/list") return plain(script, message);
      script.answer(message, {{"tools", json::array()}, {"nextCursor", "again"}});
    });
    CHECK(co_await fixture.connection.start());
    CHECK(fixture.heard("tools/list") == kPagesMax);
    CHECK(fixture.connection.notes().at(0) ==
          "the list goes on after 0 tools: the rest is left out");
    co_await fixture.connection.close();
  });
}

TEST_CASE("a server that does not answer fails the start in time", "[tools]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Fixture fixture(sim, [](Script&, const json&) {});
    const auto started = co_await fixture.connection.start();
    REQUIRE_FALSE(started);
    CHECK(started.error().code == ErrorCode::timeout);
    CHECK(started.error().message.starts_with("mcp server x: "));
    co_await fixture.connection.close();
  });
}

TEST_CASE("progress is heard and keeps a call alive", "[tools][sim]") {
  test::for_each_seed(10, [](Simulator& sim) -> asio::awaitable<void> {
    Fixture fixture(sim, server_with([](Script& script, const json& message) {
                      for (int i = 1; i <= 5; ++i) script.progress(message, i * 100s);
                      script.answer(message, kDone, 590s);
                    }));
    REQUIRE(co_await fixture.connection.start());
    std::vector<std::string> lines;
    auto calling = fixture.connection.call(
        "a", R"({"k":1})", [&](std::string_view line) { lines.emplace_back(line); });
    const auto answer = co_await std::move(calling);
    CHECK(answer.value() == kDone.dump());
    CHECK(lines == std::vector<std::string>(5, "1"));
    CHECK(fixture.log.heard.back()["params"]["arguments"] == json({{"k", 1}}));
    co_await fixture.connection.close();
  });
}

TEST_CASE("a silent call times out and is taken back", "[tools][sim]") {
  test::for_each_seed(10, [](Simulator& sim) -> asio::awaitable<void> {
    Fixture fixture(sim, server_with([](Script& script, const json& message) {
                      script.answer(message, kDone, 121s);
                    }));
    REQUIRE(co_await fixture.connection.start());
    const auto answer = co_await call(fixture.connection);
    REQUIRE_FALSE(answer);
    CHECK(answer.error() ==
          Error{ErrorCode::timeout,
                "mcp server x: no answer within 120 s; what the call has done is unknown"});
    CHECK(fixture.log.heard.back()["method"] == "notifications/cancelled");
    // The late answer is nobody's, and the server serves on.
    co_await sim.clock().sleep_for(10s);
    CHECK(fixture.log.opened == 1);
    co_await fixture.connection.close();
  });
}

TEST_CASE("progress does not keep a call alive for ever", "[tools]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Fixture fixture(sim, server_with([](Script& script, const json& message) {
                      for (int i = 1; i <= 100; ++i) script.progress(message, i * 60s);
                    }));
    REQUIRE(co_await fixture.connection.start());
    const Instant begin = sim.clock().now();
    const auto answer = co_await call(fixture.connection);
    CHECK(answer.error().code == ErrorCode::timeout);
    CHECK(sim.clock().now() - begin == McpTimes{}.call_max);
    co_await fixture.connection.close();
  });
}

TEST_CASE("a server that dies fails its calls and is started again by the next", "[tools][sim]") {
  test::for_each_seed(10, [](Simulator& sim) -> asio::awaitable<void> {
    std::size_t calls = 0;
    Fixture fixture(sim, server_with([&](Script& script, const json& message) {
                      if (++calls == 1)
                        script.die({ErrorCode::io, "ended (exit code 3), stderr: boom"});
                      else
                        script.answer(message, kDone);
                    }));
    REQUIRE(co_await fixture.connection.start());
    const auto first = co_await call(fixture.connection);
    CHECK(first.error() == Error{ErrorCode::io, "mcp server x: ended (exit code 3), stderr: boom"});
    CHECK(calls == 1);  // it may have done it: not asked twice
    CHECK(co_await call(fixture.connection));
    CHECK(fixture.log.opened == 2);
    co_await fixture.connection.close();
  });
}

TEST_CASE("a server that dies again and again is left alone", "[tools]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Fixture fixture(sim, server_with([](Script& script, const json&) {
                      script.die({ErrorCode::io, "ended"});
                    }));
    REQUIRE(co_await fixture.connection.start());
    for (std::size_t i = 0; i <= kRestartsMax; ++i)
      CHECK((co_await call(fixture.connection)).error().code == ErrorCode::io);
    const auto refused = co_await call(fixture.connection);
    CHECK(refused.error() ==
          Error{ErrorCode::unsupported,
                "mcp server x: ended 4 times in this session and is not started again"});
    CHECK(fixture.log.opened == 1 + kRestartsMax);
    co_await fixture.connection.close();
  });
}

TEST_CASE("a server that comes back with other tools is not called", "[tools]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    std::size_t lists = 0;
    const auto plain =
        server_with([](Script& script, const json&) { script.die({ErrorCode::io, "ended"}); });
    Fixture fixture(sim, [&](Script& script, const json& message) {
      if (message.value("method", "") != "tools/list" || ++lists == 1)
        return plain(script, message);
      script.answer(message, {{"tools", {described("a"), described("evil")}}});
    });
    REQUIRE(co_await fixture.connection.start());
    CHECK_FALSE(co_await call(fixture.connection));
    const auto changed = co_await call(fixture.connection);
    CHECK(changed.error() == Error{ErrorCode::unsupported,
                                   "mcp server x: came back with other tools than this session "
                                   "began with; start a new session"});
    CHECK(fixture.heard("tools/call") == 1);
    co_await fixture.connection.close();
  });
}

TEST_CASE("a server that forgot the session is greeted again and asked again, once",
          "[tools][sim]") {
  test::for_each_seed(10, [](Simulator& sim) -> asio::awaitable<void> {
    std::size_t calls = 0;
    Fixture fixture(
        sim, server_with([&](Script& script, const json& message) {
          if (++calls != 2)
            script.die({ErrorCode::not_found, "the server has ended the session (HTTP 404)"});
          else
            script.answer(message, kDone);
        }));
    REQUIRE(co_await fixture.connection.start());
    CHECK(co_await call(fixture.connection));
    CHECK(calls == 2);
    calls = 2;
    CHECK((co_await call(fixture.connection)).error().code == ErrorCode::not_found);
    CHECK(calls == 4);
    co_await fixture.connection.close();
  });
}

TEST_CASE("a server that breaks the protocol is ended and its calls fail", "[tools][sim]") {
  test::for_each_seed(10, [](Simulator& sim) -> asio::awaitable<void> {
    Fixture fixture(sim, server_with([](Script& script, const json&) {
                      script.say({{"jsonrpc", "2.0"},
                                  {"method", "notifications/message"},
                                  {"params", {{"level", "error"}, {"data", "cannot go on"}}}});
                      script.say(json("nonsense"), 1s);
                    }));
    REQUIRE(co_await fixture.connection.start());
    const auto answer = co_await call(fixture.connection);
    CHECK(answer.error() == Error{ErrorCode::protocol,
                                  "mcp server x: broke the protocol: a message that is no object; "
                                  "it logged last: error: cannot go on"});
    co_await fixture.connection.close();
  });
}

TEST_CASE("a change of the server's tools is told once", "[tools]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Fixture fixture(
        sim, server_with([](Script& script, const json& message) {
          script.say({{"jsonrpc", "2.0"}, {"method", "notifications/tools/list_changed"}});
          script.answer(message, kDone, 1s);
        }));
    REQUIRE(co_await fixture.connection.start());
    CHECK_FALSE(fixture.connection.take_tools_changed());
    REQUIRE(co_await call(fixture.connection));
    CHECK(fixture.connection.take_tools_changed());
    CHECK_FALSE(fixture.connection.take_tools_changed());
    CHECK(fixture.heard("tools/list") == 1);
    co_await fixture.connection.close();
  });
}

TEST_CASE("a server that changes its tools while they are listed is listed again", "[tools]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    std::size_t lists = 0;
    Fixture fixture(sim, [&](Script& script, const json& message) {
      if (message.value("method", "") == "tools/list") {
        if (++lists == 1)
          script.say({{"jsonrpc", "2.0"}, {"method", "notifications/tools/list_changed"}});
        json tools = json::array({described("a")});
        if (lists > 1) tools.push_back(described("late"));
        script.answer(message, {{"tools", tools}}, 1s);
      } else {
        server_with([](Script& on_call, const json& asked) { on_call.answer(asked, kDone); })(
            script, message);
      }
    });
    REQUIRE(co_await fixture.connection.start());
    REQUIRE(fixture.connection.tools().size() == 2);
    CHECK(fixture.connection.tools()[1].name == "late");
    REQUIRE(co_await call(fixture.connection));
    CHECK_FALSE(fixture.connection.take_tools_changed());
    co_await fixture.connection.close();
  });
}

TEST_CASE("a server whose tools never stop changing is taken as it is", "[tools]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    const auto plain =
        server_with([](Script& script, const json& asked) { script.answer(asked, kDone); });
    Fixture fixture(sim, [&](Script& script, const json& message) {
      if (message.value("method", "") == "tools/list")
        script.say({{"jsonrpc", "2.0"}, {"method", "notifications/tools/list_changed"}});
      if (message.value("method", "") == "tools/list")
        script.answer(message, {{"tools", json::array({described("a")})}}, 1s);
      else
        plain(script, message);
    });
    REQUIRE(co_await fixture.connection.start());
    CHECK(fixture.heard("tools/list") == 3);
    CHECK(fixture.connection.take_tools_changed());
    co_await fixture.connection.close();
  });
}

TEST_CASE("cancelled at any step, a session leaves nothing behind and can go on", "[tools][sim]") {
  bool is_idle = false;
  for (std::uint64_t steps = 1; !is_idle; ++steps) {
    REQUIRE(steps < 2'000);
    Simulator sim(steps);
    std::size_t calls = 0;
    Fixture fixture(sim, server_with([&](Script& script, const json& message) {
                      if (++calls == 1)
                        script.die({ErrorCode::io, "ended"});
                      else
                        script.answer(message, kDone, 1s);
                    }));
    const auto body = [&]() -> asio::awaitable<void> {
      if (!co_await fixture.connection.start()) co_return;
      (void)co_await call(fixture.connection);
      (void)co_await call(fixture.connection);
    };
    TaskGroup group(sim.executor());
    group.spawn(body());
    // The last one waits for an answer that only the passing of time would bring.
    is_idle = sim.run_steps(steps) < steps;
    asio::post(sim.executor(), [&] { group.cancel(); });
    sim.run_steps(Simulator::kStepsMax);
    INFO("cancelled after " << steps << " steps");
    REQUIRE(group.size() == 0);
    // What was in flight is taken back; the greeting cannot be.
    CHECK(fixture.heard("notifications/cancelled") <= 1);
    if (is_idle) CHECK(fixture.heard("notifications/cancelled") == 1);
    const auto after = [&]() -> asio::awaitable<void> {
      // Whoever comes next finds a connection that works.
      if (!fixture.connection.tools().empty()) {
        const auto answer = co_await call(fixture.connection);
        CHECK((answer || answer.error().code == ErrorCode::io));
      }
      co_await fixture.connection.close();
    };
    sim.run(after());
  }
}
