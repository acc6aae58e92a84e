#include "runtime/net/server_connection.hpp"

#include "runtime/async/cancellation.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/server_harness.hpp"
#include "tests/support/temp_dir.hpp"

#include <stdexcept>
#include <vector>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;
using test::answer_with;
using test::RawClient;
using test::ServerHarness;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

/// Answers with what it was asked.
asio::awaitable<void> echo(HttpRequest request, Responder& responder) {
  HttpResponse response{200, {}, request.method + " " + request.target + " " + request.body};
  co_await responder.send(std::move(response));
}

/// A handler that takes a second, and remembers how that went.
struct SlowHandler {
  ManualClock& clock;
  int started = 0;
  int answered = 0;
  int cancelled = 0;

  HttpHandler handler() {
    return [this](HttpRequest request, Responder& responder) -> asio::awaitable<void> {
      ++started;
      try {
        co_await clock.sleep_for(1s);
      } catch (...) {
        ++cancelled;
        throw;
      }
      co_await echo(std::move(request), responder);
      ++answered;
    };
  }
};

std::string echoed(ServerHarness& server, std::string_view what, std::string_view more = "") {
  return server.response(
      "200 OK", "Content-Length: " + std::to_string(what.size()) + "\r\n" + std::string(more),
      what);
}

constexpr std::string_view kClose = "Connection: close\r\n";

}  // namespace

TEST_CASE("a connection serves request after request", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, echo);
  RawClient client = server.connect();
  for (int i = 0; i < 3; ++i) {
    server.deliver(client, kGet);
    const std::string expected = echoed(server, "GET / ");
    CHECK(server.read(client, expected.size()) == expected);
  }
  CHECK(server.server().connections() == 1);
}

TEST_CASE("the client's wish to close is granted, and HTTP/1.0 closes by default",
          "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, echo);
  RawClient closing = server.connect();
  server.deliver(closing, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(server.read_to_end(closing) == echoed(server, "GET / ", kClose));
  CHECK(closing.ended());

  RawClient old = server.connect();
  server.deliver(old, "GET / HTTP/1.0\r\n\r\n");
  CHECK(server.read_to_end(old) == echoed(server, "GET / ", kClose));

  RawClient old_but_keen = server.connect();
  server.deliver(old_but_keen, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string expected = echoed(server, "GET / ", "Connection: keep-alive\r\n");
  CHECK(server.read(old_but_keen, expected.size()) == expected);
  CHECK_FALSE(old_but_keen.ended());
}

TEST_CASE("pipelined requests are answered in order, also behind a slow one", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock,
                       [&](HttpRequest request, Responder& responder) -> asio::awaitable<void> {
                         if (request.target == "/slow") co_await clock.sleep_for(300ms);
                         co_await echo(std::move(request), responder);
                       });
  RawClient client = server.connect();
  server.deliver(client, get("/a") + get("/slow") + "\r\n" + get("/b") +
                             "POST /c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi" +
                             get("/d"));
  const std::string first = echoed(server, "GET /a ");
  CHECK(server.read(client, first.size()) == first);
  server.settle();
  client.receive();
  CHECK(client.received().empty());
  server.advance(300ms);
  const std::string rest = echoed(server, "GET /slow ") + echoed(server, "GET /b ") +
                           echoed(server, "POST /c hi") + echoed(server, "GET /d ");
  CHECK(server.read(client, rest.size()) == rest);
}

TEST_CASE("chunked bodies and bodies in pieces arrive whole", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, echo);
  RawClient client = server.connect();
  server.deliver(
      client,
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n");
  server.deliver(client, "5;a=b\r\npedia\r\n0\r\nX-Trailer: 1\r\n\r\n");
  const std::string expected = echoed(server, "POST / Wikipedia");
  CHECK(server.read(client, expected.size()) == expected);

  const std::string body(1 << 20, 'x');
  server.deliver(client, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                             std::to_string(body.size()) + "\r\n\r\n" + body);
  const std::string large = echoed(server, "POST / " + body);
  CHECK((server.read(client, large.size()) == large));
}

TEST_CASE("all bodies together are bounded, and room comes back", "[runtime][e2e]") {
  ManualClock clock;
  SlowHandler slow{clock};
  ServerOptions options;
  options.bodies_bytes_max = 1000;
  ServerHarness server(clock, slow.handler(), options);
  const std::string body(600, 'x');
  const std::string post =
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 600\r\n\r\n" + body;
  RawClient first = server.connect();
  RawClient second = server.connect();
  server.deliver(first, post);
  server.deliver(second, post);
  const std::string overloaded =
      server.refusal("503 Service Unavailable", "overloaded",
                     "too many large requests; try again soon", {"Retry-After: 1\r\n", ""});
  CHECK(server.read(second, overloaded.size()) == overloaded);
  server.advance(1s);
  CHECK(server.read(first, 15) == "HTTP/1.1 200 OK");
  server.deliver(second, post);
  server.advance(1s);
  CHECK(server.read(second, 15) == "HTTP/1.1 200 OK");
}

TEST_CASE("HEAD gets the head of GET and nothing else", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, answer_with("hello"));
  RawClient client = server.connect();
  server.deliver(client, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" + std::string(kGet));
  const std::string fields = "Content-Type: text/plain\r\nContent-Length: 5\r\n";
  const std::string expected =
      server.response("200 OK", fields, "") + server.response("200 OK", fields, "hello");
  CHECK(server.read(client, expected.size()) == expected);
}

TEST_CASE("a client that waits for 100 Continue gets it, and only then", "[runtime][e2e]") {
  ManualClock clock;
  ServerOptions options;
  options.body_bytes_max = 10;
  ServerHarness server(clock, echo, options);
  const std::string head =
      "PUT / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ";

  RawClient patient = server.connect();
  server.deliver(patient, head + "2\r\n\r\n");
  CHECK(server.read(patient, kContinue.size()) == kContinue);
  server.deliver(patient, "hi");
  const std::string expected = echoed(server, "PUT / hi");
  CHECK(server.read(patient, expected.size()) == expected);

  RawClient impatient = server.connect();
  server.deliver(impatient, head + "2\r\n\r\nhi");
  CHECK(server.read(impatient, expected.size()) == expected);

  RawClient greedy = server.connect();
  server.deliver(greedy, head + "11\r\n\r\n");
  CHECK(server.read_to_end(greedy) == server.refusal("413 Payload Too Large", "body_too_large",
                                                     "the request's body is too large"));
}

TEST_CASE("what cannot be served is refused in JSON and the connection closed", "[runtime][e2e]") {
  ManualClock clock;
  ServerOptions options;
  options.header_bytes_max = 1024;
  options.body_bytes_max = 1024;
  ServerHarness server(clock, echo, options);
  struct Row {
    std::string request;
    std::string refusal;
  };
  const std::string post = "POST / HTTP/1.1\r\nHost: localhost\r\n";
  const Row rows[] = {
      {"GET / HTTP/1.1\r\n\r\n",
       server.refusal("400 Bad Request", "bad_request", "Host is missing")},
      {post + "Content-Length: 1025\r\n\r\n" + std::string(100'000, 'x'),
       server.refusal("413 Payload Too Large", "body_too_large",
                      "the request's body is too large")},
      {post + "X: " + std::string(2000, 'x'),
       server.refusal("431 Request Header Fields Too Large", "headers_too_large",
                      "the request's header is too large")},
      {post + "Transfer-Encoding: gzip\r\n\r\n",
       server.refusal("501 Not Implemented", "not_implemented",
                      "no Transfer-Encoding but chunked is supported")},
      {post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(70'000, 'x'),
       server.refusal("400 Bad Request", "bad_request",
                      "malformed request: a chunk's header is too long")},
  };
  for (const Row& row : rows) {
    INFO(row.refusal);
    RawClient client = server.connect();
    server.deliver(client, row.request);
    CHECK(server.read_to_end(client) == row.refusal);
    // The rest of the request was not read by then, and yet the answer was not lost in a reset.
    CHECK(client.ended());
  }
}

TEST_CASE("a request that ends in the middle is told so", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, echo);
  for (const char* start :
       {"GET / HT", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhel"}) {
    RawClient client = server.connect();
    server.deliver(client, start);
    client.shutdown_write();
    CHECK(server.read_to_end(client) ==
          server.refusal("400 Bad Request", "bad_request", "the request is incomplete"));
  }
}

TEST_CASE("a header that trickles in is cut off at its deadline", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, echo);
  RawClient slowloris = server.connect();
  RawClient silent = server.connect();
  for (int second = 0; second < 10; ++second) {
    server.deliver(slowloris,
                   std::string_view("GET / HTTP/1.1").substr(static_cast<std::size_t>(second), 1));
    server.advance(1s);
  }
  server.settle();
  CHECK(server.read_to_end(slowloris) == server.refusal("408 Request Timeout", "request_timeout",
                                                        "the request took too long to arrive"));
  CHECK(server.read_to_end(silent).empty());  // there is nothing to answer
  CHECK(silent.ended());
}

TEST_CASE("a body must make progress at a minimum rate, and may take long if it does",
          "[runtime][e2e]") {
  ManualClock clock;
  ServerOptions options;
  options.body_bytes_per_second_min = 10;
  ServerHarness server(clock, echo, options);
  const std::string body(1500, 'x');
  const std::string head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1500\r\n\r\n";
  RawClient steady = server.connect();
  RawClient stuck = server.connect();
  server.deliver(steady, head);
  server.deliver(stuck, head + "he");
  for (int piece = 0; piece < 4; ++piece) {
    server.advance(29s);
    server.deliver(steady, body.substr(0, 300));
  }
  CHECK(server.read_to_end(stuck).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  server.advance(29s);
  server.deliver(steady, body.substr(0, 300));
  const std::string expected = echoed(server, "POST / " + body);
  CHECK(server.read(steady, expected.size()) == expected);
}

TEST_CASE("a byte now and then does not keep a body's connection", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, echo);
  RawClient slowloris = server.connect();
  server.deliver(slowloris, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n");
  server.advance(29s);
  server.deliver(slowloris, "x");
  CHECK(server.server().connections() == 1);
  server.advance(1s);
  CHECK(server.read_to_end(slowloris) == server.refusal("408 Request Timeout", "request_timeout",
                                                        "the request took too long to arrive"));
}

TEST_CASE("an idle connection is closed without a word", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, echo);
  RawClient client = server.connect();
  server.deliver(client, kGet);
  const std::string expected = echoed(server, "GET / ");
  CHECK(server.read(client, expected.size()) == expected);
  server.advance(74s);
  CHECK(server.server().connections() == 1);
  server.advance(1s);
  CHECK(server.read_to_end(client).empty());
  CHECK(client.ended());
  CHECK(server.server().connections() == 0);
}

TEST_CASE("a connection serves no more requests than it may", "[runtime][e2e]") {
  ManualClock clock;
  ServerOptions options;
  options.requests_per_connection_max = 2;
  ServerHarness server(clock, echo, options);
  RawClient client = server.connect();
  server.deliver(client, get("/1") + get("/2") + get("/3"));
  CHECK(server.read_to_end(client) ==
        echoed(server, "GET /1 ") + echoed(server, "GET /2 ", kClose));
}

TEST_CASE("origin, host and token are checked before the handler", "[runtime][e2e]") {
  ManualClock clock;
  ServerOptions options;
  options.token = "s3cret";
  options.is_public = [](const HttpRequest& request) { return request.target == "/healthz"; };
  ServerHarness server(clock, echo, options);
  RawClient client = server.connect();
  const auto ask = [&](std::string_view request, const std::string& expected) {
    server.deliver(client, request);
    CHECK(server.read(client, expected.size()) == expected);
  };
  ask(kGet, server.refusal("401 Unauthorized", "unauthorized",
                           "a token is needed: send Authorization: Bearer TOKEN",
                           {"WWW-Authenticate: Bearer\r\n", ""}));
  ask("GET / HTTP/1.1\r\nHost: localhost\r\nx-api-key: s3cret\r\n\r\n", echoed(server, "GET / "));
  ask(get("/healthz"), echoed(server, "GET /healthz "));
  ask("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      server.refusal("403 Forbidden", "host_not_allowed",
                     "this server answers only to loopback host names", {"", ""}));
  // A body that nobody asked for is not read: the connection cannot go on.
  server.deliver(client, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n");
  CHECK(server.read_to_end(client) ==
        server.refusal("401 Unauthorized", "unauthorized",
                       "a token is needed: send Authorization: Bearer TOKEN",
                       {"WWW-Authenticate: Bearer\r\n"}));
}

TEST_CASE("an empty host is refused, however it is sent", "[runtime][e2e]") {
  ManualClock clock;
  ServerHarness server(clock, echo);
  for (const char* request :
       {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET http:///x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET http:///x HTTP/1.0\r\n\r\n"}) {
    INFO(request);
    RawClient client = server.connect();
    server.deliver(client, request);
    client.shutdown_write();
    CHECK(server.read_to_end(client).starts_with("HTTP/1.1 403 Forbidden\r\n"));
  }
}

TEST_CASE("a handler that fails or is silent costs its client 500 and nobody else anything",
          "[runtime][e2e]") {
  ManualClock clock;
  std::vector<std::string> reports;
  ServerOptions options;
  options.on_handler_failed = [&](std::string_view why) { reports.emplace_back(why); };
  ServerHarness server(
      clock,
      [&](HttpRequest request, Responder& responder) -> asio::awaitable<void> {
        if (request.target == "/throws") throw std::runtime_error("boom\nbang");
        if (request.target == "/throws-int") throw 7;
        // As a dependency would that was cancelled by itself; the request was not.
        if (request.target == "/aborted") throw_cancelled();
        if (request.target == "/late") {
          co_await echo(std::move(request), responder);
          throw std::runtime_error("after the answer");
        }
        co_return;
      },
      options);
  const std::string failed = server.refusal("500 Internal Server Error", "internal_error",
                                            "the handler of this request failed");
  const std::string silent = server.refusal("500 Internal Server Error", "internal_error",
                                            "the handler of this request gave no answer");
  const auto ask = [&](std::string_view target) {
    RawClient client = server.connect();
    server.deliver(client, get(target));
    return server.read_to_end(client);
  };
  CHECK(ask("/throws") == failed);
  CHECK(ask("/throws-int") == failed);
  CHECK(ask("/aborted") == failed);
  CHECK(ask("/late") == echoed(server, "GET /late "));
  CHECK(ask("/silent") == silent);
  REQUIRE(reports.size() == 4);
  CHECK(reports[0] == "boom\\x0abang");
  CHECK(reports[1] == "an exception of unknown type");
  CHECK(reports[3] == "after the answer");
  CHECK_FALSE(server.ended());
}

TEST_CASE("a handler that fails after its client left is reported, one that unwinds is not",
          "[runtime][e2e]") {
  ManualClock clock;
  std::vector<std::string> reports;
  ServerOptions options;
  options.on_handler_failed = [&](std::string_view why) { reports.emplace_back(why); };
  ServerHarness server(
      clock,
      [&](HttpRequest request, Responder&) -> asio::awaitable<void> {
        try {
          co_await clock.sleep_for(1s);
        } catch (...) {
          if (request.target == "/unwinds") throw;
        }
        throw std::runtime_error("the journal is full");
      },
      options);
  for (const char* target : {"/unwinds", "/fails"}) {
    RawClient client = server.connect();
    server.deliver(client, get(target));
    client.close_with_reset();
    server.advance(200ms);
    CHECK(server.server().connections() == 0);
  }
  CHECK(reports == std::vector<std::string>{"the journal is full"});
}

TEST_CASE("a client that disconnects cancels its handler", "[runtime][e2e]") {
  const test::TempDir dir;
  for (const bool over_tcp : {true, false}) {
    for (const bool with_reset : {true, false}) {
      INFO((over_tcp ? "tcp" : "unix") << (with_reset ? " reset" : " close"));
      ManualClock clock;
      SlowHandler slow{clock};
      ServerOptions options;
      if (!over_tcp) options.listen = *ListenAddress::parse("unix:" + (dir / "s").string());
      ServerHarness server(clock, slow.handler(), options);
      RawClient client = server.connect();
      server.deliver(client, kGet);
      REQUIRE(slow.started == 1);
      if (with_reset) {
        client.close_with_reset();
      } else {
        client.close();
      }
      server.advance(200ms);  // one sweep to ask, one to see the answer
      CHECK(slow.cancelled == 1);
      CHECK(server.server().connections() == 0);
    }
  }
}

TEST_CASE("a client that only stopped sending still gets its answer", "[runtime][e2e]") {
  const test::TempDir dir;
  for (const bool over_tcp : {true, false}) {
    INFO((over_tcp ? "tcp" : "unix"));
    ManualClock clock;
    SlowHandler slow{clock};
    ServerOptions options;
    if (!over_tcp) options.listen = *ListenAddress::parse("unix:" + (dir / "s").string());
    ServerHarness server(clock, slow.handler(), options);
    RawClient client = server.connect();
    server.deliver(client, kGet);
    client.shutdown_write();
    server.advance(1s);
    // Over TCP it was asked whether it still listens.
    CHECK(server.read_to_end(client) ==
          std::string(over_tcp ? kContinue : "") + echoed(server, "GET / "));
    CHECK(slow.answered == 1);
  }
}

TEST_CASE("an HTTP/1.0 client that stopped sending is not asked and gets its answer",
          "[runtime][e2e]") {
  ManualClock clock;
  SlowHandler slow{clock};
  ServerHarness server(clock, slow.handler());
  RawClient client = server.connect();
  server.deliver(client, "GET / HTTP/1.0\r\n\r\n");
  client.shutdown_write();
  server.advance(1s);
  CHECK(server.read_to_end(client) == echoed(server, "GET / ", kClose));
}
