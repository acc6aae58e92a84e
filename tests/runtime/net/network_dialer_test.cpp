#include "runtime/net/network_dialer.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/net/http_client.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_resolver.hpp"
#include "tests/support/loopback.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/support/temp_dir.hpp"

#include <map>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;
using test::Loopback;
using test::LoopbackPeer;
using test::run_on_loopback;

namespace {

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HttpRequest kGet{"GET", "/path?q", {}, ""};
const Origin kSecure{Scheme::https, "api.test", 443};
const Origin kPlain{Scheme::http, "api.test", 80};

std::string no_env(const char*) { return {}; }

std::unique_ptr<NetworkDialer> dialer_of(std::vector<std::string> addresses,
                                         const std::string& ca_file = "") {
  return std::make_unique<NetworkDialer>(
      std::make_unique<test::FixedResolver>(std::move(addresses)),
      TlsContext::create(ca_file, no_env).value());
}

// A client whose only way out is the proxy that `net` plays; it cannot resolve api.test itself.
std::unique_ptr<HttpClient> client_behind(Loopback& net, const std::string& user_info = "",
                                          const std::string& ca_file = "") {
  const std::string proxy = "http://" + user_info + "127.0.0.1:" + std::to_string(net.port());
  ProxySettings proxies =
      ProxySettings::from_env([&](const char* name) {
        const std::string variable = name;
        return variable == "HTTPS_PROXY" || variable == "HTTP_PROXY" ? proxy : "";
      }).value();
  return std::make_unique<HttpClient>(net.clock(), dialer_of({"127.0.0.2"}, ca_file),
                                      std::move(proxies));
}

// The error of a request through a proxy that answers CONNECT with `answer`, without the proxy's
// port.
Error refusal(const std::string& answer, const std::string& user_info = "") {
  Error error;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve({[&](LoopbackPeer& peer) -> asio::awaitable<void> {
      (void)co_await peer.read_request();
      co_await peer.send(answer);
      co_await peer.wait_closed();
    }});
    const auto client = client_behind(net, user_info);
    error = (co_await client->fetch(kSecure, kGet)).error();
    const std::string port = ":" + std::to_string(net.port());
    if (const std::size_t at = error.message.find(port); at != std::string::npos)
      error.message.erase(at, port.size());
  });
  return error;
}

}  // namespace

TEST_CASE("https goes through a proxy in a tunnel, with TLS to the target inside",
          "[runtime][e2e]") {
  const test::TempDir dir;
  const test::TestAuthority authority;
  const std::string ca_file = dir.write("ca.pem", authority.certificate()).string();
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    std::string connect;
    std::string inside;
    net.serve({[&](LoopbackPeer& peer) -> asio::awaitable<void> {
      connect = co_await peer.read_request();
      co_await peer.send("HTTP/1.0 200 Connection established\r\nVia: p\r\n\r\n");
      (void)co_await peer.start_tls(authority.issue({.names = {"api.test"}}));
      for (int i = 0; i < 2; ++i) {
        inside = co_await peer.read_request();
        co_await peer.send(kOk);
      }
      co_await peer.wait_closed();
    }});
    const auto client = client_behind(net, "user:open%20sesame@", ca_file);
    CHECK((co_await client->fetch(kSecure, kGet)).value().body == "ok");
    CHECK((co_await client->fetch(kSecure, kGet)).value().body == "ok");
    CHECK(net.accepted() == 1);
    CHECK(connect ==
          "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\nUser-Agent: fathom\r\n"
          "Proxy-Authorization: Basic dXNlcjpvcGVuIHNlc2FtZQ==\r\n\r\n");
    CHECK(inside.starts_with("GET /path?q HTTP/1.1\r\nHost: api.test\r\n"));
    CHECK_FALSE(inside.contains("Proxy-Authorization"));
  });
}

TEST_CASE("plain http goes to a proxy in absolute form", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    std::string request;
    net.serve({[&](LoopbackPeer& peer) -> asio::awaitable<void> {
      request = co_await peer.read_request();
      co_await peer.send(kOk);
      co_await peer.wait_closed();
    }});
    const auto client = client_behind(net, "u:p@");
    CHECK((co_await client->fetch(kPlain, kGet)).value().body == "ok");
    CHECK(request.starts_with("GET http://api.test/path?q HTTP/1.1\r\nHost: api.test\r\n"));
    CHECK(request.contains("Proxy-Authorization: Basic dTpw\r\n"));
  });
}

TEST_CASE("a proxy that gives no tunnel says why, and keeps the password", "[runtime][e2e]") {
  const std::string proxy = "api.test:443: proxy 127.0.0.1 of HTTPS_PROXY: ";
  CHECK(refusal("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\nlogin") ==
        Error{ErrorCode::permission,
              proxy + "it wants a user and password (407): write them into HTTPS_PROXY as "
                      "http://user:password@host:port"});
  CHECK(
      refusal("HTTP/1.1 407 No\r\n\r\n", "user:hunter2@") ==
      Error{ErrorCode::permission, proxy + "it refuses the user or password in HTTPS_PROXY (407)"});
  CHECK(refusal("HTTP/1.1 403 Forbidden\r\n\r\n") ==
        Error{ErrorCode::network, proxy + "it refuses a tunnel to this host (403)"});
  CHECK(refusal("HTTP/1.1 200 OK\r\n\r\nsurprise") ==
        Error{ErrorCode::protocol, proxy + "it sent more than the answer to CONNECT"});
  CHECK(refusal("\x05\x01").message ==
        proxy + "the answer is not an HTTP/1.1 response: it begins with '\\x05\\x01'");
}

TEST_CASE("a proxy that stays silent or is not there is named", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    net.serve({[&](LoopbackPeer& peer) -> asio::awaitable<void> {
      (void)co_await peer.read_request();
      co_await net.let_time_pass(10s);
      co_await peer.wait_closed();
    }});
    const auto client = client_behind(net);
    CHECK((co_await client->fetch(kSecure, kGet)).error() ==
          Error{ErrorCode::timeout,
                "api.test:443: proxy " + net.origin().host_port() +
                    " of HTTPS_PROXY: waiting for the proxy's tunnel (at most 10 s): "
                    "timed out"});
  });
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    const ProxySettings proxies = ProxySettings::from_env([](const char* name) {
                                    return std::string(name) == "http_proxy" ? "127.0.0.1:1" : "";
                                  }).value();
    HttpClient client(net.clock(), dialer_of({"127.0.0.2"}), proxies);
    CHECK((co_await client.fetch(kPlain, kGet)).error().message ==
          "api.test:80: proxy 127.0.0.1:1 of http_proxy: connecting to 127.0.0.1: connection "
          "refused (is a "
          "server running there?)");
  });
}

TEST_CASE("when one address of a host refuses, the next is tried", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    net.serve({[](LoopbackPeer& peer) -> asio::awaitable<void> {
      (void)co_await peer.read_request();
      co_await peer.send(kOk);
      co_await peer.wait_closed();
    }});
    // Nothing listens on these: the server is on 127.0.0.1 alone.
    HttpClient client(net.clock(), dialer_of({"::1", "127.0.0.2", "127.0.0.1"}));
    const Origin origin{Scheme::http, "api.test", net.port()};
    CHECK((co_await client.fetch(origin, kGet)).value().body == "ok");
  });
}

TEST_CASE("an address that swallows packets leaves time for the next one", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    test::FullListener full(co_await asio::this_coro::executor);
    HttpClient client(net.clock(), dialer_of({"127.0.0.1", "127.0.0.2"}));
    const Origin origin{Scheme::http, "api.test", full.port()};
    const auto impatient = [&]() -> asio::awaitable<void> {
      CHECK((co_await client.fetch(origin, kGet)).error() ==
            Error{ErrorCode::network,
                  origin.host_port() + ": connecting to 127.0.0.2: connection refused (is a server "
                                       "running there?)"});
    };
    TaskGroup group(co_await asio::this_coro::executor);
    group.spawn(impatient());
    co_await net.let_time_pass(5s);  // half of the connect timeout
    co_await group.join();
  });
}

TEST_CASE("a connection that is not accepted runs into the connect deadline", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    test::FullListener full(co_await asio::this_coro::executor);
    const auto client = HttpClient::create(net.clock(), {}, no_env).value();
    const Origin origin{Scheme::http, "127.0.0.1", full.port()};
    const auto impatient = [&]() -> asio::awaitable<void> {
      CHECK(
          (co_await client->fetch(origin, kGet)).error() ==
          Error{ErrorCode::timeout, origin.host_port() + ": connecting (at most 10 s): timed out"});
    };
    TaskGroup group(co_await asio::this_coro::executor);
    group.spawn(impatient());
    co_await net.let_time_pass(10s);
    co_await group.join();
  });
}

TEST_CASE("a name server that never answers runs into the look-up deadline", "[runtime][sim]") {
  test::for_each_seed(20, [](Simulator& sim) -> asio::awaitable<void> {
    HttpClient client(sim.clock(), std::make_unique<NetworkDialer>(
                                       std::make_unique<test::SilentResolver>(sim.clock()),
                                       TlsContext::create("", no_env).value()));
    CHECK((co_await client.fetch(kSecure, kGet)).error() ==
          Error{ErrorCode::timeout,
                "api.test:443: looking up the host name (at most 10 s): timed out"});
    CHECK(sim.clock().sleepers() == 0);
  });
}

TEST_CASE("the system's resolver finds this machine", "[runtime][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    net.serve({[](LoopbackPeer& peer) -> asio::awaitable<void> {
      (void)co_await peer.read_request();
      co_await peer.send(kOk);
      co_await peer.wait_closed();
    }});
    const auto client = HttpClient::create(net.clock(), {}, no_env).value();
    const Origin origin{Scheme::http, "localhost", net.port()};
    CHECK((co_await client->fetch(origin, kGet)).value().body == "ok");
  });
}

TEST_CASE("a look-up that is cancelled lets its caller go at once", "[runtime][e2e]") {
  for (std::size_t handlers = 0; handlers < 4; ++handlers) {
    asio::io_context io(1);
    SystemResolver resolver;
    bool done = false;
    const auto call = [&]() -> asio::awaitable<void> {
      done = (co_await resolver.resolve("localhost")).has_value();
    };
    const std::exception_ptr ended = test::cancel_after(io, handlers, call());
    CHECK(done != is_cancellation(ended));
  }
}
