#include "sandbox/egress/egress_broker.hpp"

#include "tests/sandbox/egress/egress_harness.hpp"
#include "tests/sandbox/egress/policy_fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace fathom;
using namespace fathom::sandbox;
using namespace std::chrono_literals;
using namespace std::string_literals;
using policies::Verdict;
using test::allow_rule;
using test::EgressHarness;
using test::EgressSetup;
using test::RawClient;
using Strings = std::vector<std::string>;

namespace {

EgressSetup api() {
  EgressSetup setup;
  setup.hosts = {allow_rule("api", "api.test", {443, 80})};
  return setup;
}

std::string connect_to(const std::string& target) {
  return "CONNECT " + target + " HTTP/1.1\r\n\r\n";
}

// The reason of the only record, which is a denial, once the refused program has been told.
EgressRecord denial(EgressHarness& harness, const std::string& request) {
  RawClient client = harness.connect_proxy();
  client.send(request);
  (void)harness.read_to_end(client);
  client.close();
  harness.settle();
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].verdict == Verdict::deny);
  CHECK(harness.dialled.empty());
  return harness.records[0];
}

std::string client_hello(const std::string& name) {
  const auto vec16 = [](const std::string& data) {
    return std::string{static_cast<char>(data.size() >> 8U), static_cast<char>(data.size())} + data;
  };
  const std::string server_name = "\0\0"s + vec16(vec16("\0"s + vec16(name)));
  const std::string body = "\x03\x03"s + std::string(32, 'r') + "\0"s + vec16("\x13\x01") +
                           "\x01\0"s + vec16(server_name);
  return "\x16\x03\x01"s + vec16("\x01\0"s + vec16(body));
}

}  // namespace

TEST_CASE("a tunnel to an allowed name is dialled at its address, carried and recorded",
          "[sandbox-egress]") {
  EgressHarness harness(api());
  auto [inside, outside] = harness.tunnel("API.test:443");
  inside.send("ping");
  CHECK(harness.read(outside, 4) == "ping");
  outside.send("pong!");
  CHECK(harness.read(inside, 5) == "pong!");
  harness.advance(3s);
  CHECK(harness.records.empty());
  outside.close();
  CHECK(harness.read_to_end(inside).empty());
  CHECK(inside.ended());
  inside.close();
  harness.settle();
  CHECK(harness.dialled == Strings{"192.0.2.1 443"});
  CHECK(harness.records ==
        std::vector<EgressRecord>{{"api.test", "192.0.2.1", 443, Via::connect, Verdict::allow,
                                   "api", "listed", "", 4, 5, 3s}});
}

TEST_CASE("a plain request to the proxy reaches its host in origin form", "[sandbox-egress]") {
  EgressHarness harness(api());
  RawClient inside = harness.connect_proxy();
  inside.send("GET http://api.test/x HTTP/1.1\r\nHost: evil.test\r\n\r\n");
  RawClient outside = harness.accept();
  const std::string sent = "GET /x HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n";
  CHECK(harness.read(outside, sent.size()) == sent);
  outside.send("HTTP/1.1 204 No Content\r\n\r\n");
  outside.close();
  CHECK(harness.read_to_end(inside) == "HTTP/1.1 204 No Content\r\n\r\n");
  inside.close();
  harness.settle();
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].via == Via::http);
  CHECK(harness.records[0].bytes_up == sent.size());
  CHECK(harness.dialled == Strings{"192.0.2.1 80"});
}

TEST_CASE("SOCKS5 reaches the same hosts", "[sandbox-egress]") {
  EgressHarness harness(api());
  RawClient inside = harness.connect_proxy();
  inside.send("\x05\x01\x00"s);
  CHECK(harness.read(inside, 2) == "\x05\x00"s);
  inside.send(
      "\x05\x01\x00\x03\x08"
      "api.test\x01\xbb"
      "early"s);
  RawClient outside = harness.accept();
  CHECK(harness.read(inside, 10) == "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"s);
  CHECK(harness.read(outside, 5) == "early");
  outside.close();
  inside.close();
  harness.settle();
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].via == Via::socks5);
}

TEST_CASE("a denied host is refused with its rule and the smallest grant", "[sandbox-egress]") {
  EgressHarness harness(api());
  RawClient client = harness.connect_proxy();
  client.send(connect_to("evil.test:443"));
  CHECK(harness.read_to_end(client) ==
        "HTTP/1.1 403 Forbidden (evil.test:443 is not listed)\r\nContent-Type: text/plain\r\n"
        "Content-Length: 28\r\nConnection: close\r\n\r\nevil.test:443 is not listed\n");
  client.close();
  harness.settle();
  CHECK(harness.records ==
        std::vector<EgressRecord>{{"evil.test", "", 443, Via::connect, Verdict::deny,
                                   "network.hosts", "evil.test:443 is not listed",
                                   "network: {hosts: [{host: evil.test}]}", 0, 0, 0s}});
  CHECK(harness.looked_up.empty());
  CHECK(harness.dialled.empty());
}

TEST_CASE("other spellings of allowed and forbidden hosts are refused by the proxy",
          "[sandbox-egress]") {
  for (const char* target :
       {"evil-api.test:443", "api.test.evil:443", "xapi.test:443", "api.test@evil.test:443",
        "api.test%00.evil:443", "api.test:8443", "2130706433:443", "0x7f.1:443", "127.1:443",
        "0177.0.0.1:443", "127.0.0.1:443", "[::1]:443", "[::ffff:127.0.0.1]:443", "localhost:443",
        "169.254.169.254:80", "host.fathom.internal:443"}) {
    INFO(target);
    EgressHarness harness(api());
    (void)denial(harness, connect_to(target));
    CHECK(harness.looked_up.empty());
  }
  EgressHarness harness(api());
  CHECK(denial(harness,
               "\x05\x01\x00\x05\x01\x00\x03\x12"
               "evil.test\0api.test\x01\xbb"s)
            .via == Via::socks5);
}

TEST_CASE("an allowed name that leads to a forbidden address is not dialled", "[sandbox-egress]") {
  for (const char* address :
       {"127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.7", "169.254.169.254", "0.0.0.0"}) {
    INFO(address);
    EgressSetup setup = api();
    setup.addresses = {{address}};
    EgressHarness harness(std::move(setup));
    const EgressRecord record = denial(harness, connect_to("api.test:443"));
    CHECK(record.rule == "network.address_class");
    CHECK(record.grant.empty() != (std::string(address) == "10.0.0.7"));
    CHECK(record.name == "api.test");
  }
  EgressSetup setup = api();
  setup.addresses = {{"198.51.100.9"}};
  setup.own_addresses = {"198.51.100.9"};
  EgressHarness harness(std::move(setup));
  const EgressRecord record = denial(harness, connect_to("api.test:443"));
  CHECK(record.address == "198.51.100.9");
  CHECK(record.reason == "api.test is at 198.51.100.9 (this machine's own address)");
}

TEST_CASE("an address that the policy lists must still be of a good class", "[sandbox-egress]") {
  EgressSetup setup;
  setup.hosts = {allow_rule("meta", "169.254.169.254", {80}), allow_rule("doc", "192.0.2.7", {80})};
  EgressHarness harness(setup);
  CHECK(denial(harness, connect_to("169.254.169.254:80")).rule == "network.address_class");
  EgressHarness other(setup);
  const auto tunnel = other.tunnel("192.0.2.7:80");
  CHECK(other.dialled == Strings{"192.0.2.7 80"});
}

TEST_CASE("of several addresses the forbidden are left out, and a name is looked up once",
          "[sandbox-egress]") {
  EgressSetup setup = api();
  // The second look-up would rebind the name.
  setup.addresses = {{"10.0.0.1", "192.0.2.9"}, {"127.0.0.1"}};
  EgressHarness harness(std::move(setup));
  const auto tunnel = harness.tunnel("api.test:443");
  CHECK(harness.looked_up == Strings{"api.test"});
  CHECK(harness.dialled == Strings{"192.0.2.9 443"});
}

TEST_CASE("what cannot be reached is said to be so", "[sandbox-egress]") {
  EgressSetup unknown = api();
  unknown.addresses = {{}};
  EgressHarness harness(std::move(unknown));
  RawClient client = harness.connect_proxy();
  client.send(connect_to("api.test:443"));
  CHECK(harness.read_to_end(client).starts_with("HTTP/1.1 502 Bad Gateway (the host name"));
  client.close();
  harness.settle();
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].verdict == Verdict::allow);
  CHECK(harness.records[0].reason == "the host name is not known");
}

TEST_CASE("a silent name server and a silent host each end at their time-out", "[sandbox-egress]") {
  EgressSetup setup = api();
  setup.resolver_is_silent = true;
  EgressHarness resolving(setup);
  RawClient first = resolving.connect_proxy();
  first.send(connect_to("api.test:443"));
  resolving.advance(10s);
  CHECK(resolving.read_to_end(first).starts_with("HTTP/1.1 504 Gateway Timeout (looking up"));

  setup.resolver_is_silent = false;
  setup.dial_is_silent = true;
  setup.addresses = {{"192.0.2.1", "192.0.2.2"}};
  EgressHarness dialling(setup);
  RawClient second = dialling.connect_proxy();
  second.send(connect_to("api.test:443"));
  dialling.advance(5s);  // each address has its share
  CHECK(dialling.dialled == Strings{"192.0.2.1 443", "192.0.2.2 443"});
  dialling.advance(5s);
  CHECK(dialling.read_to_end(second).starts_with("HTTP/1.1 504 Gateway Timeout (connecting to"));
}

TEST_CASE("a proxy client that says nothing, or half a request, is closed in time",
          "[sandbox-egress]") {
  EgressHarness harness(api());
  RawClient silent = harness.connect_proxy();
  RawClient slow = harness.connect_proxy();
  slow.send("CONNECT api");
  harness.advance(10s);
  CHECK(harness.read_to_end(silent).empty());
  CHECK(harness.read_to_end(slow).empty());
  CHECK(harness.records.empty());
}

TEST_CASE("a malformed proxy request is answered and recorded", "[sandbox-egress]") {
  EgressHarness harness(api());
  const EgressRecord record = denial(harness, "GET /direct HTTP/1.1\r\n\r\n");
  CHECK(record.reason ==
        "proxy request: this is a proxy: it takes CONNECT host:port and http://host/path");
}

TEST_CASE("the TLS server name must be the name that was allowed", "[sandbox-egress]") {
  EgressHarness harness(api());
  {
    auto [inside, outside] = harness.tunnel("api.test:443");
    const std::string hello = client_hello("API.test");
    inside.send(hello.substr(0, 20));
    harness.settle();
    outside.receive();
    CHECK(outside.received().empty());  // held back until it can be judged
    inside.send(hello.substr(20));
    CHECK(harness.read(outside, hello.size()) == hello);
  }
  harness.settle();
  harness.records.clear();
  auto [inside, outside] = harness.tunnel("api.test:443");
  inside.send(client_hello("evil.test"));
  CHECK(harness.read_to_end(inside) == "\x15\x03\x03\x00\x02\x02\x31"s);
  CHECK(harness.read_to_end(outside).empty());
  inside.close();
  harness.settle();
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].verdict == Verdict::deny);
  CHECK(harness.records[0].rule == "network.server_name");
  CHECK(harness.records[0].reason ==
        "the TLS client hello names another server than 'api.test', which was allowed: "
        "'evil.test'");
  CHECK(harness.records[0].bytes_up == 0);
}

TEST_CASE("a TLS client that names no server, or makes no sense, is refused", "[sandbox-egress]") {
  EgressHarness harness(api());
  std::string nameless = client_hello("api.test");
  nameless[nameless.find("\0\0\0\x0d"s) + 1] = '\x7f';  // another extension than server_name
  for (const std::string& hello : {nameless, "\x16\x03\x01\x00\x01\x02"s}) {
    auto [inside, outside] = harness.tunnel("api.test:443");
    inside.send(hello);
    CHECK(harness.read_to_end(inside) == "\x15\x03\x03\x00\x02\x02\x31"s);
    CHECK(harness.read_to_end(outside).empty());
  }
  harness.settle();
  REQUIRE(harness.records.size() == 2);
  CHECK(harness.records[0].reason ==
        "the TLS client hello names no server, and should name 'api.test'");
  CHECK(harness.records[1].reason == "the TLS client hello is not well formed");
}

TEST_CASE("of many addresses a few are tried, each as what it is", "[sandbox-egress]") {
  EgressSetup setup = api();
  setup.addresses = {{"::ffff:192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"}};
  setup.dial_is_silent = true;
  EgressHarness harness(std::move(setup));
  RawClient client = harness.connect_proxy();
  client.send(connect_to("api.test:443"));
  for (int i = 0; i < 4; ++i) harness.advance(2500ms);
  CHECK(harness.read_to_end(client).starts_with("HTTP/1.1 504"));
  CHECK(harness.dialled ==
        Strings{"192.0.2.1 443", "192.0.2.2 443", "192.0.2.3 443", "192.0.2.4 443"});
}

TEST_CASE("the policy lists which ports of the machine's loopback have a name inside",
          "[sandbox-egress]") {
  EgressSetup setup;
  setup.host_loopback_ports = {5432};
  EgressHarness harness(setup);
  const auto tunnel = harness.tunnel("host.fathom.internal:5432");
  CHECK(harness.dialled == Strings{"127.0.0.1 5432"});
  EgressHarness other(setup);
  CHECK(denial(other, connect_to("host.fathom.internal:5433")).grant ==
        "network: {host_loopback_ports: [5433]}");
}

TEST_CASE("look-ups are answered over datagrams and streams", "[sandbox-egress]") {
  EgressHarness harness(api());
  const std::string query =
      "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03"
      "api\x04test\0\0\x01\0\x01"s;
  const std::string answer = harness.ask(query);
  CHECK(answer.ends_with("\xc6\x12\0\x01"s));
  CHECK(harness.ask("junk").empty());
  RawClient stream = harness.connect(SOCK_STREAM, 53);
  const std::string framed = "\0"s + static_cast<char>(query.size()) + query;
  stream.send(framed + framed);
  const std::string twice = harness.read(stream, 2 * (answer.size() + 2));
  CHECK(twice.substr(2, answer.size()) == answer);
  CHECK(twice.substr(answer.size() + 4) == answer);
  stream.send("\x7f\xff"s);  // more than any query has
  CHECK(harness.read_to_end(stream).empty());
  std::string other = query;
  other[13] = 'x';
  (void)harness.ask(other);
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].name == "xpi.test");
  CHECK(harness.records[0].via == Via::dns);
  CHECK(harness.looked_up.empty());  // nothing was asked outside
}

TEST_CASE("look-ups over the rate wait for their turn", "[sandbox-egress]") {
  EgressHarness harness({});
  const std::string query =
      "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01"
      "a\0\0\x01\0\x01"s;
  int answered = 0;
  for (int i = 0; i < 3 * kLookUpsPerSecondMax; ++i) answered += harness.ask(query).empty() ? 0 : 1;
  CHECK(answered == 2 * kLookUpsPerSecondMax + 1);
  harness.advance(1s);
  CHECK_FALSE(harness.ask(query).empty());
}

TEST_CASE("connections over the rate wait for their turn", "[sandbox-egress]") {
  EgressHarness harness(api());
  const auto is_answered = [&] {
    RawClient client = harness.connect_proxy();
    client.send("\x04");  // answered and closed at once
    harness.settle();
    client.receive();
    return !client.received().empty();
  };
  int answered = 0;
  while (answered <= 3 * kConnectionsPerSecondMax && is_answered()) ++answered;
  CHECK(answered == 2 * kConnectionsPerSecondMax + 1);
  harness.advance(1s);
  CHECK(is_answered());
}

TEST_CASE("connections over the limit are reset, and their end makes room", "[sandbox-egress]") {
  EgressHarness harness(api());
  std::vector<RawClient> clients;
  for (std::size_t i = 0; i < kConnectionsMax; ++i) clients.push_back(harness.connect_proxy());
  RawClient more = harness.connect_proxy();
  (void)harness.read_to_end(more);
  CHECK(more.was_reset());
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].reason == "more than 256 connections at a time");
  clients.pop_back();
  harness.settle();
  const auto tunnel = harness.tunnel("api.test:443");
  CHECK(harness.dialled.size() == 1);
}

TEST_CASE("the session's own loopback is not captured", "[sandbox-egress]") {
  EgressHarness harness(api());
  RawClient client = harness.connect(SOCK_STREAM, 443);
  client.send("\x16\x03\x01");
  CHECK(harness.read_to_end(client) == "\x15\x03\x03\x00\x02\x02\x31"s);
  client.close();
  harness.settle();
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].rule == "network.loopback");
  RawClient http = harness.connect(SOCK_STREAM, 443);
  http.send("GET / HTTP/1.1\r\n\r\n");
  CHECK(harness.read_to_end(http).starts_with("HTTP/1.1 403 Forbidden (no server of this session"));
  RawClient quiet = harness.connect(SOCK_STREAM, 443);
  harness.advance(1s);
  (void)harness.read_to_end(quiet);
  CHECK(quiet.was_reset());
}

TEST_CASE("connections that are open when the broker is cancelled are closed and recorded",
          "[sandbox-egress]") {
  const std::size_t before = test::count_open_fds();
  {
    EgressHarness harness(api());
    auto [inside, outside] = harness.tunnel("api.test:443");
    RawClient asking = harness.connect_proxy();
    inside.send("x");
    CHECK(harness.read(outside, 1) == "x");
    harness.cancel();
    CHECK(harness.read_to_end(inside).empty());
    CHECK(harness.read_to_end(outside).empty());
    REQUIRE(harness.records.size() == 1);
    CHECK(harness.records[0].bytes_up == 1);
  }
  CHECK(test::count_open_fds() == before);
}

TEST_CASE("a broker that is cancelled at any step leaves nothing behind", "[sandbox-egress]") {
  const std::size_t before = test::count_open_fds();
  for (int steps = 0; steps < 60; ++steps) {
    INFO(steps);
    EgressHarness harness(api());
    std::size_t records = 0;
    {
      RawClient inside = harness.connect_proxy();
      inside.send(connect_to("api.test:443") + "payload");
      harness.run_steps(steps);
      harness.cancel();
      (void)harness.read_to_end(inside);
      CHECK((inside.ended() || inside.was_reset()));
      records = harness.records.size();
    }
    CHECK(records <= 1);
    // The client, and what the harness holds for its own server.
    CHECK(test::count_open_fds() - before < 12);
  }
  CHECK(test::count_open_fds() == before);
}

TEST_CASE("with the network off there is a name server and nothing else", "[sandbox-egress]") {
  EgressHarness harness({});
  CHECK_FALSE(harness.broker().capture());
  CHECK(harness.broker().environment() ==
        std::vector<policies::EnvironmentVariable>{{"npm_config_fetch_retries", "0"}});
  CHECK(harness.broker().listeners().size() == 2);
}

TEST_CASE("the listeners are those of the policy's ports", "[sandbox-egress]") {
  EgressSetup setup = api();
  setup.hosts.push_back(allow_rule("odd", "odd.test", {3128, 53}));
  EgressHarness harness(std::move(setup));
  CHECK(harness.broker().capture());
  Strings plans;
  for (const ListenerPlan& plan : harness.broker().listeners())
    plans.push_back((plan.type == SOCK_DGRAM ? "udp " : "tcp ") + plan.address + " " +
                    std::to_string(plan.port));
  CHECK(plans == Strings{"udp 127.0.0.53 53", "tcp 127.0.0.53 53", "tcp 127.0.0.1 3129", "tcp  80",
                         "tcp  443", "tcp  3128"});
  const auto environment = harness.broker().environment();
  CHECK(std::ranges::count(environment, policies::EnvironmentVariable{
                                            "https_proxy", "http://127.0.0.1:3129"}) == 1);
}

TEST_CASE("a policy with more ports than a session has listeners is refused", "[sandbox-egress]") {
  EgressSetup setup;
  std::vector<std::uint16_t> ports;
  for (std::uint16_t port = 1000; port < 1030; ++port) ports.push_back(port);
  setup.hosts = {allow_rule("many", "many.test", ports)};
  CHECK_THROWS_WITH(EgressHarness(std::move(setup)),
                    "network: 30 different ports are listed and at most 29 can be captured: list "
                    "fewer ports");
}
