// What programs inside a session reach, and what they are told where they do not: real namespaces,
// real programs, servers of the test outside.
#include "tests/sandbox/egress/egress_session.hpp"

#include "tests/sandbox/egress/policy_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"

#include <unistd.h>

#include <string>
#include <vector>

using namespace fathom;
using namespace fathom::sandbox;
using policies::Verdict;
using test::allow_rule;
using test::EgressSession;
using test::ProxyVariables;
using test::Ran;
using test::run_in_session;

namespace {

policies::Network api() {
  return test::network_of({allow_rule("api", "api.test", {80, 443}),
                           allow_rule("rebound", "rebound.test", {80}),
                           allow_rule("zone", "*.zone.test", {80})});
}

bool has(const std::string& program) {
  if (::access(program.c_str(), X_OK) == 0) return true;
  test::skip(program + " is not installed: its way out of a session was not tested");
  return false;
}

std::string get_by_bash(const std::string& host, int port) {
  return "exec 3<>/dev/tcp/" + host + "/" + std::to_string(port) +
         " || exit 9; printf 'GET /x HTTP/1.0\\r\\nHost: " + host + "\\r\\n\\r\\n' >&3; cat <&3";
}

bool says(const Ran& ran, std::string_view text) { return ran.out.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("a program that knows nothing of a proxy reaches an allowed name", "[sandbox]") {
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const Ran ran = co_await session.sh(get_by_bash("api.test", 80));
    INFO(ran.out);
    CHECK(ran.status == 0);
    CHECK(says(ran, EgressSession::kHello));
    CHECK(session.dialled() == std::vector<std::string>{"192.0.2.1 80"});
    const auto record = session.record(Via::capture, "api.test");
    REQUIRE(record);
    CHECK(record->verdict == Verdict::allow);
    CHECK(record->rule == "api");
    CHECK(record->address == "192.0.2.1");
    CHECK(record->bytes_up > 0);
    CHECK(record->bytes_down > 0);
  });
}

TEST_CASE("a denied name does not exist, at once, and is told with rule and grant", "[sandbox]") {
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const Ran ran =
        co_await session.run({"/usr/bin/getent", "hosts", "evil.test"}, ProxyVariables::unset);
    CHECK(ran.status == 2);
    const auto record = session.record(Via::dns, "evil.test");
    REQUIRE(record);
    CHECK(record->verdict == Verdict::deny);
    CHECK(record->rule == "network.hosts");
    CHECK(record->grant.find("evil.test") != std::string::npos);
    CHECK(session.dialled().empty());
    // Told once, however often and in whatever case it is asked for.
    (void)co_await session.run({"/usr/bin/getent", "ahosts", "EVIL.test"}, ProxyVariables::unset);
    CHECK(session.records().size() == 1);
  });
}

TEST_CASE("connections to literal addresses are captured and denied by class or rule",
          "[sandbox]") {
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    for (const char* address : {"93.184.215.14", "169.254.169.254", "10.0.0.1", "0x5db8d70e",
                                "2852039166", "0251.0376.0251.0376"}) {
      const Ran ran = co_await session.sh(get_by_bash(address, 80));
      INFO(address << ": " << ran.out);
      CHECK(says(ran, "HTTP/1.1 403 Forbidden"));
    }
    // A port that no rule lists has no listener.
    const Ran ran = co_await session.sh(get_by_bash("93.184.215.14", 8081));
    CHECK(ran.status == 9);
    CHECK(session.dialled().empty());
    REQUIRE(session.records().size() == 6);
    CHECK(session.records()[1].address == "169.254.169.254");
    CHECK(session.records()[4].address == "169.254.169.254");
    CHECK(session.records()[5].address == "169.254.169.254");
  });
}

TEST_CASE("IPv6 addresses and mapped ones are captured too", "[sandbox]") {
  if (!has("/usr/bin/python3")) return;
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const std::string script =
        "import socket\n"
        "for a in ('2606:2800:21f:cb07:6820:80da:af6b:8b2c', '::ffff:169.254.169.254',\n"
        "          'fd00:ec2::254', '64:ff9b::a9fe:a9fe'):\n"
        "  s = socket.socket(socket.AF_INET6)\n"
        "  s.connect((a, 80))\n"
        "  s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
        "  assert s.recv(100).startswith(b'HTTP/1.1 403'), a\n"
        "print('done')\n";
    const Ran ran = co_await session.run({"/usr/bin/python3", "-c", script}, ProxyVariables::unset);
    INFO(ran.out);
    CHECK(ran.out == "done\n");
    REQUIRE(session.records().size() == 4);
    CHECK(session.records()[1].address == "169.254.169.254");
    CHECK(session.dialled().empty());
  });
}

TEST_CASE("an allowed name that was rebound to loopback is not dialled", "[sandbox]") {
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const Ran ran = co_await session.sh(get_by_bash("rebound.test", 80));
    INFO(ran.out);
    CHECK(says(ran, "'rebound.test' is at 127.0.0.1 (loopback)"));
    CHECK(session.dialled().empty());
    CHECK(session.record(Via::capture, "rebound.test")->rule == "network.address_class");
  });
}

TEST_CASE("curl goes out captured, by proxy variables, by SOCKS and over TLS", "[sandbox]") {
  if (!has("/usr/bin/curl")) return;
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const std::vector<std::string> curl = {"/usr/bin/curl", "-sS", "--cacert", session.ca_file()};
    const auto fetch = [&](std::vector<std::string> more, ProxyVariables proxy) {
      std::vector<std::string> argv = curl;
      argv.insert(argv.end(), more.begin(), more.end());
      return session.run(std::move(argv), proxy);
    };
    for (const char* url : {"http://api.test/x", "https://api.test/x"}) {
      for (const ProxyVariables proxy : {ProxyVariables::unset, ProxyVariables::set}) {
        const Ran ran = co_await fetch({url}, proxy);
        INFO(url << ": " << ran.out);
        CHECK(ran.out == EgressSession::kHello);
      }
      const Ran ran =
          co_await fetch({"-x", "socks5h://127.0.0.1:3128", url}, ProxyVariables::unset);
      CHECK(ran.out == EgressSession::kHello);
    }
    for (const Via via : {Via::capture, Via::connect, Via::http, Via::socks5})
      CHECK(session.record(via, "api.test"));
    CHECK(session.requests().size() == 6);

    const Ran captured = co_await fetch({"https://evil.test/"}, ProxyVariables::unset);
    CHECK(says(captured, "Could not resolve host: evil.test"));
    const Ran proxied = co_await fetch({"https://evil.test/"}, ProxyVariables::set);
    CHECK(says(proxied, "403"));
    const Ran plain = co_await fetch({"http://evil.test/"}, ProxyVariables::set);
    CHECK(says(plain, "no rule allows"));
    CHECK(session.requests().size() == 6);
  });
}

TEST_CASE("TLS to an allowed name may not name another server", "[sandbox]") {
  if (!has("/usr/bin/curl")) return;
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const Ran ran = co_await session.run({"/usr/bin/curl", "-sSk", "https://evil.test/",
                                          "--connect-to", "evil.test:443:api.test:443"},
                                         ProxyVariables::unset);
    INFO(ran.out);
    CHECK(ran.status == 35);
    CHECK(says(ran, "access denied"));
    const auto record = session.record(Via::capture, "api.test");
    REQUIRE(record);
    CHECK(record->rule == "network.server_name");
    CHECK(record->bytes_up == 0);
    CHECK(session.requests().empty());
  });
}

TEST_CASE("python and node go out captured", "[sandbox]") {
  if (!has("/usr/bin/python3") || !has("/usr/bin/node")) return;
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const std::string python =
        "import ssl, urllib.request as u\n"
        "c = ssl.create_default_context(cafile='" +
        session.ca_file() +
        "')\n"
        "for url in ('http://api.test/', 'https://api.test/'):\n"
        "  print(u.urlopen(url, context=c).read().decode(), end='')\n"
        "try: u.urlopen('http://evil.test/')\n"
        "except Exception as e: print(e)\n";
    for (const ProxyVariables proxy : {ProxyVariables::unset, ProxyVariables::set}) {
      const Ran ran = co_await session.run({"/usr/bin/python3", "-c", python}, proxy);
      INFO(ran.out);
      CHECK(ran.out.starts_with(std::string(EgressSession::kHello) + EgressSession::kHello));
      CHECK(
          says(ran, proxy == ProxyVariables::set ? "HTTP Error 403" : "Name or service not known"));
    }
    const std::string node =
        "(async () => { for (const h of ['api.test', 'evil.test'])\n"
        "  try { console.log(await (await fetch(`http://${h}/`)).text()) }\n"
        "  catch (e) { console.log(e.cause.code) } })()";
    const Ran ran = co_await session.run({"/usr/bin/node", "-e", node}, ProxyVariables::set);
    INFO(ran.out);
    CHECK(says(ran, EgressSession::kHello));
    CHECK((says(ran, "ENOTFOUND") || says(ran, "UND_ERR")));
  });
}

TEST_CASE("two sessions share no names", "[sandbox]") {
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const Ran ran =
        co_await session.run({"/usr/bin/getent", "ahostsv4", "api.test"}, ProxyVariables::unset);
    INFO(ran.out);
    CHECK(ran.out.starts_with("198.18.0.1 "));
  });
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const Ran ran = co_await session.sh(get_by_bash("198.18.0.1", 80));
    CHECK(says(ran, "198.18.0.1 stands for no name (any more): look the name up again"));
    CHECK(session.dialled().empty());
  });
}

TEST_CASE("a session's own servers are its own, with proxy variables set too", "[sandbox]") {
  if (!has("/usr/bin/python3") || !has("/usr/bin/curl")) return;
  run_in_session(api(), [](EgressSession& session) -> asio::awaitable<void> {
    const std::string script =
        "cd /tmp && echo mine > page; python3 -m http.server 8000 --bind 127.0.0.1 2>/dev/null & "
        "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; "
        "curl -sf http://127.0.0.1:8000/page && curl -sf http://localhost:8000/page && break; "
        "done; "
        "kill %1";
    const Ran ran = co_await session.run({"/bin/bash", "-c", script}, ProxyVariables::set);
    INFO(ran.out);
    CHECK(says(ran, "mine\nmine\n"));
    CHECK(session.records().empty());
  });
}

TEST_CASE("with the network off names are denied by name and nothing is routed", "[sandbox]") {
  run_in_session({}, [](EgressSession& session) -> asio::awaitable<void> {
    const Ran asked =
        co_await session.run({"/usr/bin/getent", "hosts", "api.test"}, ProxyVariables::set);
    CHECK(asked.status == 2);
    const auto record = session.record(Via::dns, "api.test");
    REQUIRE(record);
    CHECK(record->reason == "the network is off: 'api.test' cannot be reached");
    const Ran tried = co_await session.sh(get_by_bash("93.184.215.14", 80));
    CHECK(tried.status == 9);
    CHECK(says(tried, "Network is unreachable"));
  });
}

TEST_CASE("listed ports of this machine's loopback are reached by its name inside", "[sandbox]") {
  policies::Network network;
  network.host_loopback_ports = {5432};
  run_in_session(network, [](EgressSession& session) -> asio::awaitable<void> {
    const Ran ran = co_await session.sh(get_by_bash("host.fathom.internal", 5432));
    CHECK(says(ran, EgressSession::kHello));
    CHECK(session.dialled() == std::vector<std::string>{"127.0.0.1 5432"});
    CHECK(session.record(Via::capture, "host.fathom.internal")->rule ==
          "network.host_loopback_ports");
    const Ran direct = co_await session.sh(get_by_bash("127.0.0.1", 5432));
    CHECK(says(direct, "no server of this session listens on port 5432"));
    CHECK(session.dialled().size() == 1);
  });
}
