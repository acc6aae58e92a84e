#include "runtime/net/tls.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/net/http_client.hpp"
#include "runtime/net/network_dialer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fixed_resolver.hpp"
#include "tests/support/loopback.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_certificates.hpp"

#include <map>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;
using test::CertificateSpec;
using test::Loopback;
using test::LoopbackPeer;
using test::run_on_loopback;

namespace {

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HttpRequest kGet{"GET", "/", {}, ""};
const CertificateSpec kForApi{.names = {"api.test"}, .addresses = {"127.0.0.1"}};

std::string no_env(const char*) { return {}; }

// A CA whose certificate lies in a file, and clients that find every name on this machine.
struct Setup {
  test::TempDir dir;
  test::TestAuthority authority;
  std::string ca_file = dir.write("ca.pem", authority.certificate()).string();

  std::unique_ptr<HttpClient> client(Clock& clock, const std::string& trusted,
                                     const GetEnv& env = no_env) const {
    auto resolver = std::make_unique<test::FixedResolver>(std::vector<std::string>{"127.0.0.1"});
    auto tls = TlsContext::create(trusted, env).value();
    return std::make_unique<HttpClient>(
        clock, std::make_unique<NetworkDialer>(std::move(resolver), std::move(tls)));
  }
};

Origin api_on(Loopback& net) { return {Scheme::https, "api.test", net.port()}; }

Loopback::Script serves_tls(const test::Identity& identity, int requests = 1) {
  return [=](LoopbackPeer& peer) -> asio::awaitable<void> {
    (void)co_await peer.start_tls(identity);
    for (int i = 0; i < requests; ++i) {
      (void)co_await peer.read_request();
      co_await peer.send(kOk);
    }
    co_await peer.wait_closed();
  };
}

// The body or the error (without host and port) of a request to `host`, served with `identity`.
std::string outcome(const Setup& setup, const test::Identity& identity,
                    const std::string& host = "api.test") {
  std::string text;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve({serves_tls(identity)});
    const auto client = setup.client(net.clock(), setup.ca_file);
    const Origin origin{Scheme::https, host, net.port()};
    const Result<HttpResponse> response = co_await client->fetch(origin, kGet);
    text = response ? response->body : response.error().message;
    if (!response) {
      CHECK(response.error().code == ErrorCode::tls);
      text.erase(0, origin.host_port().size() + 2);
    }
  });
  return text;
}

}  // namespace

TEST_CASE("a certificate from a CA in ca_file is trusted, and the connection kept",
          "[runtime][e2e]") {
  const Setup setup;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    std::string server_name;
    net.serve({[&](LoopbackPeer& peer) -> asio::awaitable<void> {
      server_name = co_await peer.start_tls(setup.authority.issue(kForApi));
      for (int i = 0; i < 2; ++i) {
        (void)co_await peer.read_request();
        co_await peer.send(kOk);
      }
      co_await peer.wait_closed();
    }});
    const auto client = setup.client(net.clock(), setup.ca_file);
    CHECK((co_await client->fetch(api_on(net), kGet)).value().body == "ok");
    CHECK((co_await client->fetch(api_on(net), kGet)).value().body == "ok");
    CHECK(server_name == "api.test");
    CHECK(net.accepted() == 1);
  });
}

TEST_CASE("TLS's own messages between requests do not cost the connection, data does",
          "[runtime][e2e]") {
  const Setup setup;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve({[&](LoopbackPeer& peer) -> asio::awaitable<void> {
                 (void)co_await peer.start_tls(setup.authority.issue(kForApi));
                 (void)co_await peer.read_request();
                 co_await peer.send(kOk);
                 co_await peer.send_key_update();
                 (void)co_await peer.read_request();
                 co_await peer.send(kOk);
                 co_await peer.send("what nobody asked for");
                 co_await peer.wait_closed();
               },
               serves_tls(setup.authority.issue(kForApi))});
    const auto client = setup.client(net.clock(), setup.ca_file);
    const HttpRequest post{"POST", "/", {}, "{}"};
    for (const std::size_t connections : {1U, 1U, 2U}) {
      CHECK((co_await client->fetch(api_on(net), post)).value().body == "ok");
      CHECK(net.accepted() == connections);
      co_await net.let_time_pass(0s);
    }
  });
}

TEST_CASE("SSL_CERT_FILE names the store, as it does for other programs", "[runtime][e2e]") {
  const Setup setup;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve({serves_tls(setup.authority.issue(kForApi))});
    const auto client = setup.client(net.clock(), "", [&](const char* name) {
      return std::string(name) == "SSL_CERT_FILE" ? setup.ca_file : "";
    });
    CHECK((co_await client->fetch(api_on(net), kGet)).value().body == "ok");
  });
}

TEST_CASE("an address must be in the certificate, and is not sent as a server name",
          "[runtime][e2e]") {
  const Setup setup;
  CHECK(outcome(setup, setup.authority.issue(kForApi), "127.0.0.1") == "ok");
  CHECK(outcome(setup, setup.authority.issue({.names = {"127.0.0.1"}}), "127.0.0.1") ==
        "the server's certificate is not trusted: it is for 127.0.0.1 and not for 127.0.0.1 (use a "
        "name "
        "it is for, or a certificate for this one)");
  CHECK(
      outcome(setup, setup.authority.issue({.addresses = {"10.0.0.1", "fd00::1"}}), "127.0.0.1") ==
      "the server's certificate is not trusted: it is for 10.0.0.1, fd00::1 and not for 127.0.0.1 "
      "(use "
      "a name it is for, or a certificate for this one)");
}

TEST_CASE("a certificate's common name is not a name it is for", "[runtime][e2e]") {
  const Setup setup;
  CHECK(outcome(setup, setup.authority.issue({.common_name = "api.test"})) ==
        "the server's certificate is not trusted: it is for no name at all and not for api.test "
        "(use a name it is for, or a certificate for this one)");
}

TEST_CASE("wildcards cover one label", "[runtime][e2e]") {
  const Setup setup;
  const test::Identity wildcard = setup.authority.issue({.names = {"*.api.test"}});
  CHECK(outcome(setup, wildcard, "v1.api.test") == "ok");
  CHECK(outcome(setup, wildcard, "a.v1.api.test").starts_with("the server's certificate is not"));
  CHECK(outcome(setup, wildcard, "api.test").starts_with("the server's certificate is not"));
}

TEST_CASE("a certificate that is not trusted says why and what to do", "[runtime][e2e]") {
  const Setup setup;
  const std::string untrusted = "the server's certificate is not trusted: ";
  CHECK(outcome(setup, test::TestAuthority::self_signed(kForApi)) ==
        untrusted +
            "no trusted CA signed it, its issuer is 'CN = Fathom Test Self' (if you trust that "
            "issuer, name "
            "its PEM file in SSL_CERT_FILE or ca_file)");
  CHECK(outcome(setup, test::TestAuthority().issue(kForApi)).starts_with(untrusted));
  CHECK(outcome(setup, setup.authority.issue({.names = {"a.test", "b.test"}})) ==
        untrusted +
            "it is for a.test, b.test and not for api.test (use a name it is for, or a certificate "
            "for "
            "this one)");
  CHECK(outcome(setup, setup.authority.issue({})).find("it is for no name at all") !=
        std::string::npos);

  CertificateSpec expired = kForApi;
  expired.not_after = std::chrono::year{2025} / 6 / 30;
  CHECK(outcome(setup, setup.authority.issue(expired)) ==
        untrusted +
            "it expired on 2025-06-30 (this machine's clock says 2026-01-01; if that is right, the "
            "server "
            "must renew it)");
  CertificateSpec early = kForApi;
  early.not_before = std::chrono::year{2027} / 1 / 31;
  CHECK(
      outcome(setup, setup.authority.issue(early)) ==
      untrusted +
          "it is valid only from 2027-01-31 (this machine's clock says 2026-01-01: is it right?)");
}

TEST_CASE("a CA file that cannot be read is named", "[runtime]") {
  const test::TempDir dir;
  const std::string missing = (dir / "missing.pem").string();
  const std::string empty = dir.write("empty.pem", "").string();
  CHECK(TlsContext::create(missing, no_env)
            .error()
            .message.starts_with("ca_file: no certificate could be read from " + missing));
  CHECK(TlsContext::create(empty, no_env).error().code == ErrorCode::tls);
  const GetEnv env = [&](const char* name) {
    return std::string(name) == "SSL_CERT_FILE" ? missing : "";
  };
  CHECK(TlsContext::create("", env).error().message.starts_with("SSL_CERT_FILE: no certificate"));
}

TEST_CASE("a peer that does not speak TLS, or stops speaking it, is told apart", "[runtime][e2e]") {
  const Setup setup;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve({[](LoopbackPeer& peer) -> asio::awaitable<void> {
                 (void)co_await peer.read_some();
                 co_await peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
                 co_await peer.wait_closed();
               },
               [](LoopbackPeer& peer) -> asio::awaitable<void> { (void)co_await peer.read_some(); },
               [&](LoopbackPeer& peer) -> asio::awaitable<void> {
                 (void)co_await peer.read_some();
                 co_await net.let_time_pass(10s);
                 co_await peer.wait_closed();
               }});
    const auto client = setup.client(net.clock(), setup.ca_file);
    const std::string peer = api_on(net).host_port();
    CHECK((co_await client->fetch(api_on(net), kGet)).error() ==
          Error{ErrorCode::tls,
                peer + ": the peer does not speak TLS on this port (is it an http:// address?)"});
    CHECK((co_await client->fetch(api_on(net), kGet)).error() ==
          Error{ErrorCode::network,
                peer + ": the peer closed the connection during the TLS handshake"});
    CHECK((co_await client->fetch(api_on(net), kGet)).error() ==
          Error{ErrorCode::timeout, peer + ": TLS handshake (at most 10 s): timed out"});
  });
}

TEST_CASE("a body that only the connection's end delimits must be ended by TLS itself",
          "[runtime][e2e]") {
  const Setup setup;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve({[&](LoopbackPeer& peer) -> asio::awaitable<void> {
      (void)co_await peer.start_tls(setup.authority.issue(kForApi));
      (void)co_await peer.read_request();
      co_await peer.send("HTTP/1.1 200 OK\r\n\r\nis this all?");
    }});
    const auto client = setup.client(net.clock(), setup.ca_file);
    CHECK((co_await client->fetch(api_on(net), kGet)).error() ==
          Error{ErrorCode::network,
                api_on(net).host_port() +
                    ": reading: the peer closed the connection without ending TLS, so "
                    "what came may be cut short"});
  });
}

TEST_CASE("cancelled after any handler of a TLS call, no socket stays", "[runtime][e2e]") {
  const Setup setup;
  const test::Identity identity = setup.authority.issue(kForApi);
  bool done = false;
  std::size_t handlers = 0;
  for (; !done; ++handlers) {
    asio::io_context io(1);
    Loopback net(io);
    net.serve({serves_tls(identity, 2), serves_tls(identity)});
    const auto client = setup.client(net.clock(), setup.ca_file);
    const std::size_t before = test::open_sockets();
    const auto call = [&]() -> asio::awaitable<void> {
      done = (co_await client->fetch(api_on(net), kGet)).value().body == "ok";
    };
    const std::exception_ptr ended = test::cancel_after(io, handlers, call());
    CHECK(done != is_cancellation(ended));
    const auto again = [&]() -> asio::awaitable<void> {
      CHECK((co_await client->fetch(api_on(net), kGet)).value().body == "ok");
      client->close_idle_connections();
      co_await net.stop();
      CHECK(test::open_sockets() == before);
    };
    CHECK_FALSE(test::run_to_end(io, again()));
  }
  CHECK(handlers > 10);
}
