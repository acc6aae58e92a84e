#include "runtime/net/http_server.hpp"

#include "runtime/async/cancellation.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/server_harness.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/resource.h>

#include <array>
#include <vector>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;
using test::answer_with;
using test::RawClient;
using test::ServerHarness;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view kHelloFields = "Content-Type: text/plain\r\nContent-Length: 5\r\n";

/// Answers "slow " plus the target after a second.
HttpHandler slow_answer(ManualClock& clock, int& cancelled) {
  return [&](HttpRequest request, Responder& responder) -> asio::awaitable<void> {
    try {
      co_await clock.sleep_for(1s);
    } catch (...) {
      ++cancelled;
      throw;
    }
    HttpResponse response{200, {}, "slow " + request.target};
    co_await responder.send(std::move(response));
  };
}

}  // namespace

TEST_CASE("an address that others reach is refused without a token", "[runtime][e2e]") {
  asio::io_context io;
  ManualClock clock;
  ServerOptions options;
  options.listen = *ListenAddress::parse("0.0.0.0:0");
  const auto refused = HttpServer::create(io.get_executor(), clock, options, answer_with(""));
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == Error{ErrorCode::usage,
                                 "listen 0.0.0.0:0: everybody on the network could use it (set a "
                                 "token, or listen on 127.0.0.1)"});
}

TEST_CASE("an exposed server's hosts depend on its token and its list", "[runtime][e2e]") {
  struct Row {
    const char* token;
    std::vector<std::string> hosts;
    const char* host;
    const char* status;
  };
  const std::vector<Row> rows = {{"", {}, "evil.example", "403"},
                      {"", {}, "10.0.0.1", "200"},
                      {"", {"build.example"}, "build.example", "200"},
                      {"s3cret", {}, "build.example", "200"},
                      {"s3cret", {"build.example"}, "evil.example", "403"}};
  for (const Row& row : rows) {
    INFO(row.host << " with token '" << row.token << "'");
    ManualClock clock;
    ServerOptions options;
    options.listen = *ListenAddress::parse("0.0.0.0:0");
    options.exposure = ServerOptions::Exposure::allowed_without_token;
    options.token = row.token;
    options.hosts = row.hosts;
    ServerHarness server(clock, answer_with("hello"), options);
    RawClient client = server.connect();
    server.deliver(client, "GET / HTTP/1.1\r\nx-api-key: s3cret\r\nHost: " + std::string(row.host) +
                               "\r\n\r\n");
    CHECK(server.read(client, 12) == std::string("HTTP/1.1 ") + row.status);
  }
}

TEST_CASE("a unix socket serves any host and is gone afterwards", "[runtime][e2e]") {
  const test::TempDir dir;
  ManualClock clock;
  ServerOptions options;
  options.listen = *ListenAddress::parse("unix:" + (dir / "s").string());
  {
    ServerHarness server(clock, answer_with("hello"), options);
    RawClient client = server.connect();
    server.deliver(client, "GET / HTTP/1.1\r\nHost: fathom\r\n\r\n");
    const std::string expected = server.response("200 OK", kHelloFields, "hello");
    CHECK(server.read(client, expected.size()) == expected);
  }
  CHECK_FALSE(std::filesystem::exists(dir / "s"));
}

TEST_CASE("connections beyond the limit are told to come back", "[runtime][e2e]") {
  ManualClock clock;
  ServerOptions options;
  options.connections_max = 2;
  ServerHarness server(clock, answer_with("hello"), options);
  RawClient first = server.connect();
  RawClient second = server.connect();
  RawClient third = server.connect();
  CHECK(server.read_to_end(third) == server.refusal("503 Service Unavailable", "overloaded",
                                                    "too many connections; try again soon",
                                                    {"Retry-After: 1\r\n"}));
  third.close();
  first.close();
  server.run_until([&] { return server.server().connections() == 1; });

  RawClient fourth = server.connect();
  server.deliver(fourth, kGet);
  const std::string expected = server.response("200 OK", kHelloFields, "hello");
  CHECK(server.read(fourth, expected.size()) == expected);
}

TEST_CASE("refused clients that stay are bounded, and then the kernel's queue fills",
          "[runtime][e2e]") {
  ManualClock clock;
  ServerOptions options;
  options.connections_max = 1;
  ServerHarness server(clock, answer_with("hello"), options);
  std::vector<RawClient> clients;
  clients.reserve(70);
  for (int i = 0; i < 70; ++i) clients.push_back(server.connect());
  server.run_until([&] { return server.server().connections() >= 65; });
  CHECK(server.server().connections() == 65);  // one served, 64 refused, five not accepted
  clients[0].close();
  server.advance(2s);  // those refused have lingered; the five take their places
  server.run_until([&] { return server.server().connections() <= 5; });
  RawClient late = server.connect();
  server.deliver(late, kGet);
  CHECK(server.read(late, 12) ==
        (server.server().connections() > 0 ? "HTTP/1.1 503" : "HTTP/1.1 200"));
}

TEST_CASE("a server out of descriptors waits for some and goes on", "[runtime][e2e]") {
#if __has_feature(undefined_behavior_sanitizer)
  // The sanitizer looks at memory through a pipe, and without descriptors calls every object bad.
  test::skip("UBSan needs descriptors itself: a server without any was not tested");
  return;
#endif
  ManualClock clock;
  ServerHarness server(clock, answer_with("hello"));
  RawClient client(server.address());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{3, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  server.settle();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(server.server().connections() == 0);
  server.advance(100ms);
  server.deliver(client, kGet);
  const std::string expected = server.response("200 OK", kHelloFields, "hello");
  CHECK(server.read(client, expected.size()) == expected);
}

TEST_CASE("two hundred connections are served side by side", "[runtime][e2e]") {
  ManualClock clock;
  int cancelled = 0;
  ServerHarness server(clock, slow_answer(clock, cancelled));
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) {
    clients.emplace_back(server.address());
    server.deliver(clients.back(),
                   "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  CHECK(server.server().connections() == 200);
  server.advance(1s);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const std::string body = "slow /" + std::to_string(i);
    const std::string expected =
        server.response("200 OK", "Content-Length: " + std::to_string(body.size()) + "\r\n", body);
    REQUIRE(server.read(clients[i], expected.size()) == expected);
  }
  CHECK(server.server().connections() == 200);
}

TEST_CASE("draining closes idle connections and finishes requests in progress", "[runtime][e2e]") {
  ManualClock clock;
  int cancelled = 0;
  ServerHarness server(clock, slow_answer(clock, cancelled));
  RawClient idle = server.connect();
  RawClient busy = server.connect();
  RawClient sending = server.connect();
  server.deliver(busy, kGet);
  server.deliver(sending, kGet.substr(0, 10));
  server.server().drain(clock.now() + 10s);

  CHECK(server.read_to_end(idle).empty());
  CHECK(idle.ended());
  CHECK_THROWS(RawClient(server.address()));  // nobody listens any more
  CHECK_FALSE(server.ended());

  server.deliver(sending, kGet.substr(10));
  server.advance(1s);
  const std::string answer =
      server.response("200 OK", "Content-Length: 6\r\nConnection: close\r\n", "slow /");
  CHECK(server.read_to_end(busy) == answer);
  CHECK(server.read_to_end(sending) == answer);
  busy.close();
  sending.close();
  server.run_until([&] { return server.ended(); });
  CHECK(server.error() == nullptr);
  CHECK(cancelled == 0);
}

TEST_CASE("draining cancels what is left at the deadline", "[runtime][e2e]") {
  ManualClock clock;
  int cancelled = 0;
  ServerHarness server(clock, slow_answer(clock, cancelled));
  RawClient client = server.connect();
  server.deliver(client, kGet);
  server.server().drain(clock.now() + 500ms);
  server.advance(400ms);
  CHECK(cancelled == 0);
  server.advance(200ms);
  CHECK(cancelled == 1);
  CHECK(server.ended());
  CHECK(server.error() == nullptr);
  CHECK(server.read_to_end(client).empty());
}

TEST_CASE("a server without connections drains at once, also before it ran", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, answer_with(""));
  server.server().drain(clock.now() + 1h);
  server.settle();
  CHECK(server.ended());
  CHECK(server.error() == nullptr);
}

TEST_CASE("a server can be cancelled after any number of steps and leaves nothing behind",
          "[runtime][e2e]") {
  constexpr std::string_view kUpgrade =
      "GET /socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
      "\x81\x82\x01\x02\x03\x04ik";  // and "hi" right behind it, masked
  const std::size_t fds_before = test::count_open_fds();
  int alive = 0;
  ManualClock clock;
  const HttpHandler handler = [&](HttpRequest request,
                                  Responder& responder) -> asio::awaitable<void> {
    struct Alive {
      int& count;
      explicit Alive(int& c) : count(c) { ++count; }
      ~Alive() { --count; }
    } const self(alive);
    if (request.target == "/socket") {
      WebSocket* socket = co_await responder.upgrade(request, {});
      while (auto message = co_await socket->read()) co_await socket->write(message->data);
    } else if (request.target == "/stream") {
      co_await responder.start({});
      for (int i = 0; i < 3; ++i) {
        co_await responder.write("piece");
        co_await clock.sleep_for(100ms);
      }
    } else {
      co_await clock.sleep_for(150ms);
      co_await responder.send({});
    }
  };
  int steps_in_all = 0;
  for (int steps = 0; steps <= steps_in_all; ++steps) {
    INFO("cancelled after step " << steps);
    {
      ServerHarness server(clock, handler);
      std::array clients = {RawClient(server.address()), RawClient(server.address()),
                            RawClient(server.address()), RawClient(server.address())};
      clients[0].send(
          "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      clients[1].send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
      clients[2].send(kUpgrade);
      clients[3].send(
          "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
          "5\r\n\r\nhel");
      int quiet_rounds = 0;
      for (int taken = 0; taken < steps || (steps == 0 && quiet_rounds < 12);) {
        server.io().restart();
        if (server.io().poll_one() != 0) {
          ++taken;
          if (steps == 0) steps_in_all = taken;
        } else if (++quiet_rounds < 12) {
          if (quiet_rounds == 3) clients[3].send("lo");
          clock.advance(100ms);
        } else {
          break;
        }
      }
      server.cancel();
      server.run_until([&] { return server.ended(); });
      CHECK(is_cancellation(server.error()));
      CHECK(server.server().connections() == 0);
      CHECK(alive == 0);
      CHECK(clock.sleepers() == 0);
    }
    REQUIRE(test::count_open_fds() == fds_before);
  }
  CHECK(steps_in_all > 20);
}
