#include "sandbox/egress/egress_rules.hpp"

#include "tests/sandbox/egress/policy_fixture.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <string_view>
#include <vector>

using namespace fathom;
using namespace fathom::sandbox;
using policies::Decision;
using policies::Phase;
using policies::Verdict;
using test::allow_rule;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

EgressRules rules_of(std::vector<policies::HostRule> hosts,
                     std::vector<std::uint16_t> loopback_ports = {}) {
  policies::Network network = test::network_of(hosts);
  network.host_loopback_ports = std::move(loopback_ports);
  return {std::move(network), test::decide_by(std::move(hosts)), Phase::agent};
}

Verdict connect(EgressRules& rules, std::string_view host, std::uint16_t port) {
  return rules.may_connect(parse_destination(host, port).value()).verdict;
}

}  // namespace

TEST_CASE("a name may be looked up when one of its ports may be connected to", "[sandbox-egress]") {
  EgressRules rules = rules_of({allow_rule("r1", "a.test", {22}), allow_rule("r2", "b.test")});
  CHECK(rules.may_look_up("a.test").rule == "r1");
  CHECK(rules.may_look_up("a.test").verdict == Verdict::allow);
  CHECK(rules.may_look_up("b.test").verdict == Verdict::allow);
  CHECK(connect(rules, "a.test", 22) == Verdict::allow);
  CHECK(connect(rules, "a.test", 443) == Verdict::deny);
  CHECK(rules.may_look_up("c.test") == Decision{Verdict::deny, "network.hosts",
                                                "c.test:443 is not listed",
                                                "network: {hosts: [{host: c.test}]}"});
}

TEST_CASE("of all spellings of hosts, only those of a listed host pass", "[sandbox-egress]") {
  policies::Policy policy;
  policy.network.hosts = {allow_rule("one", "example.com"), allow_rule("zone", "*.zone.example"),
                          allow_rule("address", "93.184.215.14"),
                          allow_rule("six", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")};
  EgressRules rules(
      policy.network,
      [&](const policies::request::Connect& to) { return policies::decide(policy, to); },
      Phase::agent);
  const auto passes = [&](std::string_view host, std::uint16_t port) {
    const auto to = parse_destination(host, port);
    return to && rules.may_connect(*to).verdict == Verdict::allow;
  };
  for (const std::string_view host :
       {"example.com"sv, "EXAMPLE.com"sv, "Example.Com."sv, "a.zone.example"sv,
        "a.b.zone.example"sv, "A.ZONE.example."sv, "xn--a-1ga.zone.example"sv, "93.184.215.14"sv,
        "::ffff:93.184.215.14"sv, "[::ffff:5db8:d70e]"sv,
        "[2606:2800:21F:cb07:6820:80da:af6b:8b2c]"sv,
        "2606:2800:021f:cb07:6820:80da:af6b:8b2c"sv}) {
    INFO(host);
    CHECK(passes(host, 443));
    CHECK_FALSE(passes(host, 80));
  }
  const std::string label64(64, 'a');
  const std::vector<std::string> refused = {"evil-example.com",
                                            "evilexample.com",
                                            "example.com.evil",
                                            "example.comevil",
                                            "example.co",
                                            "xample.com",
                                            "www.example.com",
                                            "com",
                                            "example",
                                            ".example.com",
                                            "..example.com",
                                            "example..com",
                                            "example.com..",
                                            "example.com/",
                                            "example.com:443",
                                            "example.com:80",
                                            "example.com#",
                                            "example.com?",
                                            "example.com\\evil.test",
                                            "example.com@evil.test",
                                            "evil.test@example.com",
                                            "user:pw@example.com",
                                            "http://example.com",
                                            "//example.com",
                                            "example.com\n",
                                            "example.com\r\n",
                                            "\texample.com",
                                            " example.com",
                                            "example.com ",
                                            "example .com",
                                            "example\0.com"s,
                                            "example.com\0"s,
                                            "evil.test\0example.com"s,
                                            "evil.test\0.zone.example"s,
                                            "a\0.zone.example"s,
                                            "exam%70le.com",
                                            "example%2ecom",
                                            "example.com%00",
                                            "%65xample.com",
                                            "ex\xc3\xa4mple.com",
                                            "\xef\xbd\x85xample.com",
                                            "example\xe3\x80\x82"
                                            "com",
                                            "\xe2\x80\x8b"
                                            "example.com",
                                            "xn--example.com",
                                            "*.example.com",
                                            "*",
                                            "*.zone.example",
                                            "zone.example",
                                            "zone.example.",
                                            ".zone.example",
                                            "xzone.example",
                                            "a.zone.example.evil",
                                            "a.zone.examplex",
                                            "zone.example.zone",
                                            "-a.zone.example",
                                            "a-.zone.example",
                                            "a..zone.example",
                                            "a b.zone.example",
                                            label64 + ".zone.example",
                                            std::string(250, 'a') + ".zone.example",
                                            "a,b.zone.example",
                                            "a;b.zone.example",
                                            "(a).zone.example",
                                            "[a].zone.example",
                                            "a'.zone.example",
                                            "a\".zone.example",
                                            "a$.zone.example",
                                            "a+b.zone.example",
                                            "93.184.215.15",
                                            "93.184.215.014",
                                            "093.184.215.14",
                                            "93.184.55054",
                                            "93.12113678",
                                            "1572395790",
                                            "0x5db8d70e",
                                            "0x5d.0xb8.0xd7.0x0e",
                                            "0135.0270.0327.016",
                                            "93.184.215.14.",
                                            "93.184.215.14%",
                                            "93.184.215.14/32",
                                            "[93.184.215.14]",
                                            "::93.184.215.14",
                                            "64:ff9b::93.184.215.14",
                                            "2002:5db8:d70e::",
                                            "[::ffff:93.184.215.14",
                                            "::ffff:93.184.215.14]",
                                            "::ffff:93.184.215.14%1",
                                            "2606:2800:21f:cb07:6820:80da:af6b:8b2d",
                                            "2606:2800:21f:cb07:6820:80da:af6b:8b2c%eth0",
                                            "127.0.0.1",
                                            "127.1",
                                            "0",
                                            "0.0.0.0",
                                            "::",
                                            "::1",
                                            "[::1]",
                                            "localhost",
                                            "localhost.",
                                            "a.localhost",
                                            "169.254.169.254",
                                            "metadata.google.internal",
                                            "host.fathom.internal",
                                            "255.255.255.255",
                                            "224.0.0.1",
                                            "fe80::1",
                                            "10.0.0.1",
                                            "192.168.0.1",
                                            "fd00::1",
                                            ""};
  CHECK(refused.size() >= 100);
  for (const std::string& host : refused) {
    INFO(host);
    CHECK_FALSE(passes(host, 443));
  }
}

TEST_CASE("the phase of now decides", "[sandbox-egress]") {
  policies::HostRule registry = allow_rule("registry", "registry.test");
  registry.phases = {Phase::setup};
  EgressRules rules = rules_of({registry});
  CHECK(rules.may_look_up("registry.test").verdict == Verdict::deny);
  rules.set_phase(Phase::setup);
  CHECK(rules.may_look_up("registry.test").verdict == Verdict::allow);
  CHECK(connect(rules, "registry.test", 443) == Verdict::allow);
  rules.set_phase(Phase::test);
  CHECK(connect(rules, "registry.test", 443) == Verdict::deny);
}

TEST_CASE("the names used under one rule are counted, whether looked up or connected to",
          "[sandbox-egress]") {
  EgressRules rules = rules_of({allow_rule("zone", "*.zone.test"), allow_rule("x", "x.test")});
  for (std::size_t i = 0; i < kNamesPerRuleMax; ++i) {
    const std::string name = "n" + std::to_string(i) + ".zone.test";
    CHECK((i % 2 == 0 ? rules.may_look_up(name).verdict : connect(rules, name, 443)) ==
          Verdict::allow);
  }
  CHECK(rules.may_look_up("n0.zone.test").verdict == Verdict::allow);
  const Decision over = rules.may_look_up("secret.zone.test");
  CHECK(over.verdict == Verdict::deny);
  CHECK(over.rule == "zone");
  CHECK(over.reason ==
        "more than 256 different names were used under this rule: names can carry data out");
  CHECK(connect(rules, "secret.zone.test", 443) == Verdict::deny);
  CHECK(connect(rules, "x.test", 443) == Verdict::allow);
}

TEST_CASE("services of the machine's loopback have a name, and only listed ports",
          "[sandbox-egress]") {
  EgressRules rules = rules_of({}, {5432});
  CHECK_FALSE(rules.is_off());
  CHECK(rules.may_look_up("host.fathom.internal").verdict == Verdict::allow);
  CHECK(connect(rules, "host.fathom.internal", 5432) == Verdict::allow);
  CHECK(rules.may_connect({"host.fathom.internal", {}, 5433}) ==
        Decision{Verdict::deny, "network.host_loopback_ports",
                 "port 5433 of this machine's loopback is not listed",
                 "network: {host_loopback_ports: [5433]}"});
  CHECK(connect(rules, "127.0.0.1", 5432) == Verdict::deny);
  EgressRules none = rules_of({allow_rule("a", "a.test")});
  CHECK(none.may_look_up("host.fathom.internal").verdict == Verdict::deny);
}

TEST_CASE("the session's own loopback is nobody else's to give", "[sandbox-egress]") {
  EgressRules rules =
      rules_of({allow_rule("all", "localhost", {443}), allow_rule("sub", "x.localhost", {443})});
  CHECK(rules.may_connect({"localhost", {}, 443}).rule == "network.loopback");
  CHECK(connect(rules, "x.localhost", 443) == Verdict::deny);
}

TEST_CASE("what is asked about first is not allowed by itself", "[sandbox-egress]") {
  policies::HostRule ask = allow_rule("ask", "a.test");
  ask.verdict = Verdict::ask;
  EgressRules rules = rules_of({ask});
  CHECK(rules.may_look_up("a.test").verdict == Verdict::ask);
  CHECK(connect(rules, "a.test", 443) == Verdict::ask);
  CHECK_FALSE(rules.is_off());
}

TEST_CASE("the ports to capture are those of rules that open something", "[sandbox-egress]") {
  policies::HostRule closed = allow_rule("no", "b.test", {8443});
  closed.verdict = Verdict::deny;
  CHECK(rules_of({allow_rule("a", "a.test", {443, 80}), closed, allow_rule("c", "c.test")}, {22})
            .ports() == std::vector<std::uint16_t>{22, 80, 443});
  CHECK(rules_of({closed}).is_off());
  CHECK(rules_of({}).is_off());
}
