#include "runtime/net/server_answer.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/server_harness.hpp"

#include <stdexcept>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;
using test::RawClient;
using test::ServerHarness;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view kEventStream = "Content-Type: text/event-stream\r\n";

HttpResponse event_stream() { return {200, {{"Content-Type", "text/event-stream"}}, ""}; }

/// Three events, a tenth of a second apart.
HttpHandler three_events(ManualClock& clock) {
  return [&clock](HttpRequest request, Responder& responder) -> asio::awaitable<void> {
    co_await responder.start(event_stream());
    for (const char* event : {"data: 1\n\n", "", "data: 2\n\n", "data: 3\n\n"}) {
      co_await responder.write(event);
      co_await clock.sleep_for(100ms);
    }
    if (request.target == "/fails") throw std::runtime_error("boom");
  };
}

}  // namespace

TEST_CASE("a stream's pieces arrive when they are written", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, three_events(clock));
  RawClient client = server.connect();
  const std::string head =
      server.response("200 OK", std::string(kEventStream) + "Transfer-Encoding: chunked\r\n", "");
  server.deliver(client, std::string(kGet) + std::string(kGet));
  const std::string first = head + "9\r\ndata: 1\n\n\r\n";
  CHECK(server.read(client, first.size()) == first);
  server.settle();
  client.receive();
  CHECK(client.received().empty());
  server.advance(400ms);
  // The connection goes on with the next request.
  const std::string rest = "9\r\ndata: 2\n\n\r\n9\r\ndata: 3\n\n\r\n0\r\n\r\n" + first;
  CHECK(server.read(client, rest.size()) == rest);
}

TEST_CASE("a stream to HTTP/1.0 ends with the connection, and HEAD gets its head",
          "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, three_events(clock));
  RawClient old = server.connect();
  server.deliver(old, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  RawClient head = server.connect();
  server.deliver(head, "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  server.advance(400ms);
  CHECK(server.read_to_end(old) ==
        server.response("200 OK", std::string(kEventStream) + "Connection: close\r\n",
                        "data: 1\n\ndata: 2\n\ndata: 3\n\n"));
  CHECK(server.read_to_end(head) ==
        server.response(
            "200 OK",
            std::string(kEventStream) + "Transfer-Encoding: chunked\r\nConnection: close\r\n", ""));
}

TEST_CASE("a stream whose handler fails has no end", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, three_events(clock));
  RawClient client = server.connect();
  server.deliver(client, "GET /fails HTTP/1.1\r\nHost: localhost\r\n\r\n");
  RawClient old = server.connect();
  server.deliver(old, "GET /fails HTTP/1.0\r\n\r\n");
  server.advance(400ms);
  CHECK(server.read_to_end(client).ends_with("9\r\ndata: 3\n\n\r\n"));
  CHECK(client.ended());
  server.read_to_end(old);
  CHECK(old.was_reset());
}

TEST_CASE("a stream's handler is cancelled when its client leaves", "[runtime][e2e]") {
  ManualClock clock;
  bool unwound = false;
  ServerHarness server(clock, [&](HttpRequest, Responder& responder) -> asio::awaitable<void> {
    struct Unwound {
      bool& flag;
      ~Unwound() { flag = true; }
    } const guard{unwound};
    co_await responder.start(event_stream());
    for (;;) {
      co_await clock.sleep_for(100ms);
      co_await responder.write("data: tick\n\n");
    }
  });
  RawClient client = server.connect();
  server.deliver(client, kGet);
  server.advance(500ms);
  CHECK_FALSE(unwound);
  client.close();
  server.advance(300ms);
  CHECK(unwound);
  CHECK(server.server().connections() == 0);
}

TEST_CASE("a client that takes nothing slows its handler and is dropped in the end",
          "[runtime][e2e]") {
  ManualClock clock;
  std::size_t written = 0;
  bool unwound = false;
  ServerHarness server(clock,
                       [&](HttpRequest request, Responder& responder) -> asio::awaitable<void> {
                         if (request.target == "/small") {
                           HttpResponse response{200, {}, "small"};
                           co_await responder.send(std::move(response));
                           co_return;
                         }
                         struct Unwound {
                           bool& flag;
                           ~Unwound() { flag = true; }
                         } const guard{unwound};
                         co_await responder.start(event_stream());
                         const std::string piece(64 << 10, 'x');
                         for (;;) {
                           co_await responder.write(piece);
                           written += piece.size();
                         }
                       });
  RawClient client = server.connect();
  server.deliver(client, kGet);
  server.advance(29s);
  const std::size_t before = written;  // as much as the kernel's buffers hold
  CHECK(before < 64 << 20);
  CHECK_FALSE(unwound);

  client.receive();  // takes all there is: the stall begins anew
  server.run_until([&] { return written > before; });
  server.advance(29s);
  CHECK_FALSE(unwound);

  RawClient other = server.connect();
  server.deliver(other, "GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string expected = server.response("200 OK", "Content-Length: 5\r\n", "small");
  CHECK(server.read(other, expected.size()) == expected);

  server.advance(2s);
  CHECK(unwound);
  server.read_to_end(client);
  CHECK(client.was_reset());
}

TEST_CASE("a response without a body has none, whatever its handler says", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, [](HttpRequest, Responder& responder) -> asio::awaitable<void> {
    HttpResponse response{204, {{"Connection", "close"}}, "ignored"};
    co_await responder.send(std::move(response));
  });
  RawClient client = server.connect();
  server.deliver(client, kGet);
  CHECK(server.read_to_end(client) ==
        server.response("204 No Content", "Connection: close\r\n", ""));
}
