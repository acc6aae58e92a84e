// The client's decisions, over scripted connections and virtual time. The same client over real
// sockets is tested in http_client_loopback_test.cpp.
#include "runtime/net/http_client.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/async/task_group.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/support/scripted_dialer.hpp"

#include <boost/asio/post.hpp>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;
using test::PeerScript;
using test::ScriptedDialer;
using namespace test::peer;

namespace {

const Origin kOrigin{Scheme::https, "api.example", 443};
const Says kOk{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
const HttpRequest kGet{"GET", "/", {}, ""};
const HttpRequest kPost{"POST", "/", {}, "{}"};

struct Network {
  ScriptedDialer::Log log;

  std::unique_ptr<HttpClient> client(Clock& clock, std::deque<PeerScript> scripts,
                                     Duration dial_time = {}) {
    return std::make_unique<HttpClient>(
        clock, std::make_unique<ScriptedDialer>(log, std::move(scripts), dial_time));
  }
};

// The outcome of fetching `request` as the first use of a client.
Result<HttpResponse> fetch_once(PeerScript script, HttpRequest request = kGet,
                                CallLimits limits = {}) {
  Network network;
  Result<HttpResponse> result;
  test::run_coro([&](Simulator& sim) -> asio::awaitable<void> {
    const auto client = network.client(sim.clock(), {std::move(script)});
    result = co_await client->fetch(kOrigin, std::move(request), limits);
  });
  CHECK(network.log.open == 0);
  return result;
}

}  // namespace

TEST_CASE("a response is its status, headers and body", "[runtime]") {
  const HttpResponse response = fetch_once({kOk}).value();
  CHECK(response.status == 200);
  CHECK(response.headers == Headers{{"Content-Length", "2"}});
  CHECK(response.body == "ok");
}

TEST_CASE("a redirect is a response like any other", "[runtime]") {
  const HttpResponse response =
      fetch_once({Says{"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"}}).value();
  CHECK(response.status == 302);
  CHECK(response.headers.get("location") == "/x");
}

TEST_CASE("large bodies are sent whole over short writes", "[runtime]") {
  Network network;
  test::run_coro([&](Simulator& sim) -> asio::awaitable<void> {
    const auto client = network.client(sim.clock(), {{kOk}});
    HttpRequest request{"POST", "/up", {}, std::string(1'000'000, 'x')};
    CHECK(co_await client->fetch(kOrigin, request));
    CHECK(network.log.sent.at(0).ends_with("Content-Length: 1000000\r\n\r\n" + request.body));
  });
}

TEST_CASE("a connection is kept for the next request to the same origin", "[runtime][sim]") {
  test::for_each_seed(20, [](Simulator& sim) -> asio::awaitable<void> {
    Network network;
    const auto client = network.client(sim.clock(), {{kOk, kOk}, {kOk}});
    CHECK(co_await client->fetch(kOrigin, kGet));
    CHECK(client->idle_connections() == 1);
    CHECK(co_await client->fetch(kOrigin, kPost));
    CHECK(network.log.dialed.size() == 1);
    const Origin other{Scheme::https, "api.example", 8443};
    CHECK(co_await client->fetch(other, kGet));
    CHECK(network.log.dialed.size() == 2);
    CHECK(client->idle_connections() == 2);
    client->close_idle_connections();
    CHECK(network.log.open == 0);
  });
}

TEST_CASE("a connection that may not be used again is closed", "[runtime]") {
  for (const char* response :
       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more"}) {
    test::run_coro([&](Simulator& sim) -> asio::awaitable<void> {
      Network network;
      const auto client = network.client(sim.clock(), {{Says{response}}});
      CHECK((co_await client->fetch(kOrigin, kGet)).value().body == "ok");
      CHECK(network.log.open == 0);
    });
  }
}

TEST_CASE("a body comes in pieces as they arrive, then the empty piece", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Network network;
    const auto client = network.client(
        sim.clock(), {{Says{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"},
                       Waits{5s}, Says{"3\r\ntwo\r\n0\r\n\r\n"}}});
    const auto stream = (co_await client->open(kOrigin, kGet)).value();
    CHECK(stream->status() == 200);
    CHECK((co_await stream->read_some()).value() == "one");
    CHECK(sim.clock().now() == Instant{});
    CHECK((co_await stream->read_some()).value() == "two");
    CHECK(sim.clock().now() == Instant{} + 5s);
    CHECK((co_await stream->read_some()).value().empty());
    CHECK((co_await stream->read_some()).value().empty());
    CHECK(client->idle_connections() == 1);
  });
}

TEST_CASE("a stream dropped in the middle of its body closes its connection", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Network network;
    const auto client =
        network.client(sim.clock(), {{Says{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"}}});
    auto stream = (co_await client->open(kOrigin, kGet)).value();
    CHECK((co_await stream->read_some()).value() == "half");
    CHECK(network.log.open == 1);
    stream.reset();
    CHECK(network.log.open == 0);
    CHECK(client->idle_connections() == 0);
  });
}

TEST_CASE("a kept connection found dead is replaced once, if that does no harm", "[runtime]") {
  struct Row {
    PeerScript dead;  ///< what the kept connection does after its first response
    HttpRequest request;
    std::string outcome;
  };
  const HttpRequest keyed{"POST", "/", {{"Idempotency-Key", "7"}}, "{}"};
  const std::string closed = "api.example:443: the peer closed the connection without a response";
  for (const Row& row : std::vector<Row>{
           {{Closes{}}, kGet, "ok"},
           {{Resets{}}, kGet, "ok"},
           {{Closes{}}, keyed, "ok"},
           {{HearsNothing{}, Closes{}}, kPost, "ok"},  // not a byte of it was sent
           {{IsNoisy{}}, kPost, "ok"},                 // never tried
           {{Closes{}}, kPost, closed},
           {{Resets{}}, kPost, "api.example:443: read: Connection reset by peer"},
           {{Says{"H"}, Closes{}},
            kGet,
            "api.example:443: the peer closed the connection in the middle of the response head"},
           {{Says{"garbage"}},
            kGet,
            "api.example:443: the answer is not an HTTP/1.1 response: it begins with 'garbage'"}}) {
    test::run_coro([&](Simulator& sim) -> asio::awaitable<void> {
      Network network;
      PeerScript first = row.dead;
      first.insert(first.begin(), kOk);
      const auto client = network.client(sim.clock(), {first, {kOk}});
      CHECK(co_await client->fetch(kOrigin, kGet));
      const Result<HttpResponse> second = co_await client->fetch(kOrigin, row.request);
      CHECK((second ? second->body : second.error().message) == row.outcome);
      CHECK(network.log.dialed.size() == (row.outcome == "ok" ? 2 : 1));
    });
  }
}

TEST_CASE("a fresh connection is not tried twice", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Network network;
    const auto client = network.client(sim.clock(), {{kOk, Closes{}}, {Closes{}}, {kOk}});
    CHECK(co_await client->fetch(kOrigin, kGet));
    const Result<HttpResponse> second = co_await client->fetch(kOrigin, kGet);
    CHECK(second.error() ==
          Error{ErrorCode::network,
                "api.example:443: the peer closed the connection without a response"});
    CHECK(network.log.dialed.size() == 2);
  });
}

TEST_CASE("a server that refuses a request while it is sent is heard", "[runtime]") {
  const Says refusal{"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"};
  CHECK(fetch_once({HearsNothing{}, refusal}, kPost).value().status == 413);
  CHECK(fetch_once({HearsNothing{}, Resets{}}, kPost).error() ==
        Error{ErrorCode::network, "api.example:443: write: Broken pipe"});
}

TEST_CASE("a server that refuses a request and reads no further is heard", "[runtime]") {
  const Says refusal{"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"};
  CHECK(fetch_once({TakesNothing{}, refusal}, kPost).value().status == 413);
  const Error unsent{ErrorCode::timeout,
                     "api.example:443: sending the request (at most 120 s): timed out"};
  CHECK(fetch_once({TakesNothing{}, Closes{}}, kPost).error() == unsent);
  CHECK(fetch_once({TakesNothing{}, Says{"HTTP/1.1 413"}}, kPost).error() == unsent);
}

TEST_CASE("a request of which a part was not sent is the last of its connection", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Network network;
    const auto client = network.client(sim.clock(), {{TakesNothing{}, kOk}, {kOk}});
    CHECK((co_await client->fetch(kOrigin, kPost)).value().body == "ok");
    CHECK(network.log.open == 0);
    CHECK((co_await client->fetch(kOrigin, kPost)).value().body == "ok");
    CHECK(network.log.dialed.size() == 2);
  });
}

TEST_CASE("each phase has its own deadline, which its error names", "[runtime]") {
  CHECK(
      fetch_once({TakesNothing{}}, kPost).error() ==
      Error{ErrorCode::timeout, "api.example:443: sending the request (at most 120 s): timed out"});
  CHECK(fetch_once({}).error() ==
        Error{ErrorCode::timeout,
              "api.example:443: waiting for the response (at most 300 s): timed out"});
  CHECK(fetch_once({Says{"HTTP/1.1 200 OK\r\n"}}).error().message ==
        "api.example:443: waiting for the response (at most 300 s): timed out");
  CallLimits limits;
  limits.timeouts.body = 1500ms;
  CHECK(
      fetch_once({Says{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"}}, kGet, limits).error() ==
      Error{ErrorCode::timeout,
            "api.example:443: waiting for more of the response body (at most 1500 ms): timed out"});
}

TEST_CASE("a body may take for ever as long as it does not stop", "[runtime]") {
  PeerScript script = {Says{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"}};
  for (int i = 0; i < 100; ++i) {
    script.emplace_back(Waits{299s});
    script.emplace_back(Says{"x"});
  }
  CHECK(fetch_once(script).value().body == std::string(100, 'x'));

  CallLimits limits;
  limits.timeouts.total = 1000s;
  CHECK(
      fetch_once(script, kGet, limits).error() ==
      Error{ErrorCode::timeout,
            "api.example:443: waiting for more of the response body (at most 1000 s for the whole "
            "call): timed out"});
}

TEST_CASE("what arrived before a failure is delivered before it", "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Network network;
    const auto client =
        network.client(sim.clock(), {{Says{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
                                      Says{"3\r\none\r\nnonsense\r\n"}}});
    const auto stream = (co_await client->open(kOrigin, kGet)).value();
    CHECK((co_await stream->read_some()).value() == "one");
    const Error error{ErrorCode::protocol,
                      "api.example:443: the response is malformed (bad chunk)"};
    CHECK((co_await stream->read_some()).error() == error);
    CHECK((co_await stream->read_some()).error() == error);
    CHECK(network.log.open == 0);
  });
}

TEST_CASE("a body larger than the caller's bound is not read", "[runtime]") {
  CallLimits limits;
  limits.body_bytes_max = 1;
  CHECK(fetch_once({kOk}, kGet, limits).error() ==
        Error{ErrorCode::too_large, "api.example:443: the response body is larger than 1 B"});
}

TEST_CASE("a request that cannot be sent safely does not reach the network", "[runtime]") {
  Network network;
  test::run_coro([&](Simulator& sim) -> asio::awaitable<void> {
    const auto client = network.client(sim.clock(), {});
    HttpRequest request{"GET", "/", {{"Authorization", "Bearer key\r\nX: 1"}}, ""};
    CHECK((co_await client->fetch(kOrigin, request)).error() ==
          Error{ErrorCode::usage,
                "api.example:443: the value of header 'Authorization' holds a control character"});
    CHECK(network.log.dialed.empty());
  });
}

TEST_CASE("cancelled after any step, a call leaves no connection and the client works on",
          "[runtime][sim]") {
  const PeerScript slow = {Says{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"}, Says{"ab"},
                           Says{"cd"}, kOk};
  bool done = false;
  std::uint64_t steps = 0;
  for (; !done; ++steps) {
    Simulator sim(steps + 1);
    Network network;
    const auto client = network.client(sim.clock(), {slow, {kOk}});
    bool cancelled = false;
    const auto call = [&]() -> asio::awaitable<void> {
      try {
        const Result<HttpResponse> response = co_await client->fetch(kOrigin, kPost);
        done = response && response->body == "abcd";
      } catch (...) {
        cancelled = is_cancellation(std::current_exception());
        throw;
      }
    };
    TaskGroup group(sim.executor());
    group.spawn(call());
    sim.run_steps(steps);
    // From inside the executor: co_spawn of Boost 1.81 forwards an emit from elsewhere through a
    // posted handler that points into the child, which may have ended by the time it runs.
    asio::post(sim.executor(), [&] { group.cancel(); });
    sim.run_until_idle();
    REQUIRE(group.size() == 0);
    CHECK(done != cancelled);
    // Only a whole response leaves a connection behind; its reader may be cancelled between that
    // and its return.
    CHECK(network.log.open == client->idle_connections());
    CHECK(sim.clock().sleepers() == 0);
    if (network.log.dialed.empty() || done) continue;
    const auto again = [&]() -> asio::awaitable<void> {
      CHECK((co_await client->fetch(kOrigin, kGet)).value().body == "ok");
    };
    sim.run(again());
  }
  CHECK(steps > 5);
}

TEST_CASE("a stream whose read was cancelled says so instead of reading half a message",
          "[runtime]") {
  test::run_coro([](Simulator& sim) -> asio::awaitable<void> {
    Network network;
    const auto client =
        network.client(sim.clock(), {{Says{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}}});
    const auto stream = (co_await client->open(kOrigin, kGet)).value();
    const auto reader = [&]() -> asio::awaitable<void> { (void)co_await stream->read_some(); };
    TaskGroup group(sim.executor());
    group.spawn(reader());
    co_await sim.clock().sleep_for(1s);
    group.cancel();
    co_await group.join();
    CHECK(network.log.open == 0);
    CHECK((co_await stream->read_some()).error().message ==
          "api.example:443: the response was abandoned by a cancelled read");
  });
}
