// The client over real sockets, TCP only: what scripted connections cannot show. TLS is in
// tls_test.cpp, proxies are in network_dialer_test.cpp.
#include "runtime/async/cancellation.hpp"
#include "runtime/net/http_client.hpp"
#include "runtime/net/sse.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/loopback.hpp"

#include <array>
#include <cstdio>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;
using test::Loopback;
using test::LoopbackPeer;
using test::run_on_loopback;

namespace {

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HttpRequest kGet{"GET", "/", {}, ""};

std::string no_env(const char*) { return {}; }

std::unique_ptr<HttpClient> client_of(Loopback& net) {
  return HttpClient::create(net.clock(), {}, no_env).value();
}

// Answers `count` requests of one connection alike.
Loopback::Script answers(const std::string& response, int count = 1) {
  return [=](LoopbackPeer& peer) -> asio::awaitable<void> {
    for (int i = 0; i < count; ++i) {
      (void)co_await peer.read_request();
      co_await peer.send(response);
    }
    co_await peer.wait_closed();
  };
}

// What fetching from a server that plays `script` gives; errors without the port, which is never
// the same.
std::string outcome_of(Loopback::Script script, HttpRequest request = kGet) {
  std::string outcome;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve({script});
    const auto client = client_of(net);
    const Result<HttpResponse> response = co_await client->fetch(net.origin(), request);
    outcome = response
                  ? std::to_string(response->status) + " " + response->body
                  : std::string(name_of(response.error().code)) + " " + response.error().message;
    const std::string port = ":" + std::to_string(net.port());
    if (const std::size_t at = outcome.find(port); at != std::string::npos)
      outcome.erase(at, port.size());
  });
  return outcome;
}

}  // namespace

TEST_CASE("requests to one server travel over one connection", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    net.serve({answers(kOk, 3)});
    const auto client = client_of(net);
    for (int i = 0; i < 3; ++i)
      CHECK((co_await client->fetch(net.origin(), kGet)).value().body == "ok");
    CHECK(net.accepted() == 1);
    CHECK(client->idle_connections() == 1);
  });
}

TEST_CASE("megabytes go both ways, whole", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    std::string body;
    for (int i = 0; body.size() < 4'000'000; ++i) body += std::to_string(i) + ",";
    net.serve({[](LoopbackPeer& peer) -> asio::awaitable<void> {
      const std::string request = co_await peer.read_request();
      const std::string echoed = request.substr(request.find("\r\n\r\n") + 4);
      co_await peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (std::size_t at = 0; at < echoed.size(); at += 0x10000) {
        const std::string piece = echoed.substr(at, 0x10000);
        std::array<char, 16> size;
        std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
        co_await peer.send(size.data() + piece + "\r\n");
      }
      co_await peer.send("0\r\n\r\n");
      co_await peer.wait_closed();
    }});
    const auto client = client_of(net);
    HttpRequest request{"POST", "/echo", {}, body};
    CHECK((co_await client->fetch(net.origin(), request)).value().body == body);
  });
}

TEST_CASE("an event stream is read as it is written", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    net.serve({[](LoopbackPeer& peer) -> asio::awaitable<void> {
      (void)co_await peer.read_request();
      co_await peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
      co_await peer.send(encode_sse_comment("keep-alive") + encode_sse({"message", "one", "1"}));
      co_await peer.send(encode_sse({"done", "two", "2"}));
    }});
    const auto client = client_of(net);
    const auto stream = (co_await client->open(net.origin(), kGet)).value();
    SseParser parser;
    std::vector<SseEvent> events;
    for (;;) {
      const std::string piece = (co_await stream->read_some()).value();
      if (piece.empty()) break;
      CHECK(parser.feed(piece, events));
    }
    CHECK(events == std::vector<SseEvent>{{"message", "one", "1"}, {"done", "two", "2"}});
  });
}

TEST_CASE("a server that closed a kept connection is reached over a fresh one", "[runtime][e2e]") {
  const auto once = [](LoopbackPeer& peer) -> asio::awaitable<void> {
    (void)co_await peer.read_request();
    co_await peer.send(kOk);
  };
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve({once, once, once});
    const auto client = client_of(net);
    // POST: not to be repeated, so this rests on seeing that the connection is dead before using
    // it.
    const HttpRequest post{"POST", "/", {}, "{}"};
    for (std::size_t i = 1; i <= 3; ++i) {
      CHECK(co_await client->fetch(net.origin(), post));
      CHECK(net.accepted() == i);
      co_await net.let_time_pass(0s);
    }
  });
}

TEST_CASE("a half-closed server still answers", "[runtime][e2e]") {
  CHECK(outcome_of([](LoopbackPeer& peer) -> asio::awaitable<void> {
          (void)co_await peer.read_request();
          co_await peer.send("HTTP/1.1 200 OK\r\n\r\nlast words");
          peer.close_sending();
          co_await peer.wait_closed();
        }) == "200 last words");
}

TEST_CASE("every way a server can fail has its error", "[runtime][e2e]") {
  const auto says = [](const std::string& bytes) -> Loopback::Script {
    return [bytes](LoopbackPeer& peer) -> asio::awaitable<void> {
      (void)co_await peer.read_request();
      co_await peer.send(bytes);
    };
  };
  CHECK(outcome_of(says("")) ==
        "network 127.0.0.1: the peer closed the connection without a response");
  CHECK(outcome_of(says("HTTP/1.1 200")) ==
        "network 127.0.0.1: the peer closed the connection in the middle of the response head");
  CHECK(outcome_of(says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")) ==
        "network 127.0.0.1: the peer closed the connection in the middle of the body, after 4 B");
  CHECK(outcome_of(says("220 mail.example ESMTP\r\n")) ==
        "protocol 127.0.0.1: the answer is not an HTTP/1.1 response: it begins with '220 "
        "mail.example "
        "ESMTP\\x0d\\x0a'");
  CHECK(outcome_of(says("HTTP/1.1 200 OK\r\nA: " + std::string(100'000, 'x') + "\r\n\r\n")) ==
        "too_large 127.0.0.1: the response head is larger than 64.0 KiB or 256 fields");
  CHECK(outcome_of([](LoopbackPeer& peer) -> asio::awaitable<void> {
          (void)co_await peer.read_request();
          peer.reset();
        }) == "network 127.0.0.1: reading: the peer reset the connection");
}

TEST_CASE("a refused connection asks whether a server is running", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    // A port that was just free: bound and let go again.
    asio::ip::tcp::acceptor closed(co_await asio::this_coro::executor,
                                   {asio::ip::address_v4::loopback(), 0});
    const Origin origin{Scheme::http, "127.0.0.1", closed.local_endpoint().port()};
    closed.close();
    const auto client = client_of(net);
    CHECK((co_await client->fetch(origin, kGet)).error() ==
          Error{ErrorCode::network,
                origin.host_port() + ": connecting to 127.0.0.1: connection refused (is a server "
                                     "running there?)"});
  });
}

TEST_CASE("a silent server runs into the deadline of the phase it is silent in", "[runtime][e2e]") {
  const auto silent_after = [](Loopback& net, const std::string& bytes) -> Loopback::Script {
    return [&net, bytes](LoopbackPeer& peer) -> asio::awaitable<void> {
      (void)co_await peer.read_request();
      co_await peer.send(bytes);
      co_await net.let_time_pass(300s);
      co_await peer.wait_closed();
    };
  };
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve(
        {silent_after(net, ""), silent_after(net, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")});
    const auto client = client_of(net);
    const std::string peer = net.origin().host_port();
    CHECK(
        (co_await client->fetch(net.origin(), kGet)).error() ==
        Error{ErrorCode::timeout, peer + ": waiting for the response (at most 300 s): timed out"});
    CHECK((co_await client->fetch(net.origin(), kGet)).error() ==
          Error{ErrorCode::timeout,
                peer + ": waiting for more of the response body (at most 300 s): timed out"});
  });
}

TEST_CASE("a server that reads nothing runs into the deadline for sending", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    net.serve({[&](LoopbackPeer& peer) -> asio::awaitable<void> {
      co_await net.let_time_pass(120s);
      (void)peer;
    }});
    const auto client = client_of(net);
    HttpRequest request{"POST", "/", {}, ""};
    request.body.resize(32 * 1024 * 1024, 'x');
    CHECK((co_await client->fetch(net.origin(), request)).error().message ==
          net.origin().host_port() + ": sending the request (at most 120 s): timed out");
  });
}

TEST_CASE("cancelled after any handler, a call leaves no socket and the client works on",
          "[runtime][e2e]") {
  bool done = false;
  std::size_t handlers = 0;
  for (; !done; ++handlers) {
    asio::io_context io(1);
    Loopback net(io);
    net.serve({answers(kOk, 2), answers(kOk)});
    const auto client = client_of(net);
    const std::size_t before = test::open_sockets();
    const auto call = [&]() -> asio::awaitable<void> {
      done = (co_await client->fetch(net.origin(), kGet)).value().body == "ok";
    };
    const std::exception_ptr ended = test::cancel_after(io, handlers, call());
    CHECK(done != is_cancellation(ended));
    const auto again = [&]() -> asio::awaitable<void> {
      CHECK((co_await client->fetch(net.origin(), kGet)).value().body == "ok");
      client->close_idle_connections();
      co_await net.stop();
      CHECK(test::open_sockets() == before);
    };
    CHECK_FALSE(test::run_to_end(io, again()));
  }
  CHECK(handlers > 5);
}
