// The way out of the container rung: names through the proxy, addresses by rule, every connection
// counted. All servers are the test's own, on this machine.
#include "sandbox/dial.hpp"
#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/loopback.hpp"
#include "tests/support/skip.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace fathom::sandbox {
namespace {

using asio::ip::tcp;
using policies::Verdict;
using test::Loopback;
using test::LoopbackPeer;
using test::SandboxFixture;

constexpr const char* kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";

policies::HostRule allowed(std::string host, std::uint16_t port) {
  using policies::Phase;
  return {
      "rule", Verdict::allow, std::move(host), {port}, {Phase::setup, Phase::agent, Phase::test}};
}

class OneAddress final : public net::Resolver {
 public:
  asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string host) override {
    const char* address = host == "rebound.test" ? "127.0.0.1" : "192.0.2.1";
    co_return std::vector<asio::ip::address>{asio::ip::make_address(address)};
  }
};

// A container's session whose names lead to one server of the test.
class WayOut {
 public:
  explicit WayOut(policies::Network network)
      : box_({[&](LauncherOptions& options) {
          options.rung = Rung::container;
          options.policy.network = std::move(network);
          options.on_egress = [this](EgressRecord record) {
            records_.push_back(std::move(record));
          };
          options.change_egress = [this](EgressOptions& egress) { change(egress); };
        }}),
        server_(box_.io()) {
    server_.serve({4, [this](LoopbackPeer& peer) -> asio::awaitable<void> {
                     std::string request = co_await peer.read_request();
                     requests_.push_back(std::move(request));
                     co_await peer.send(kAnswer);
                   }});
  }
  ~WayOut() {
    box_.close();
    (void)test::run_to_end(box_.io(), server_.stop());
  }
  WayOut(const WayOut&) = delete;
  WayOut& operator=(const WayOut&) = delete;

  Outcome sh(const std::string& script) {
    Command command;
    command.argv = {"/bin/bash", "-c", script};
    return box_.run(command);
  }
  SandboxFixture& box() { return box_; }
  [[nodiscard]] const std::vector<std::string>& requests() const { return requests_; }
  /// All of them: the session is over then.
  const std::vector<EgressRecord>& records() {
    box_.close();
    return records_;
  }

 private:
  void change(EgressOptions& egress) {
    egress.outbound.resolver = std::make_unique<OneAddress>();
    egress.outbound.decide_resolved = [](std::string_view host, std::string_view address) {
      if (address.starts_with("192.0.2.")) return policies::Decision{Verdict::allow, "", "", ""};
      return policies::decide_resolved({}, host, address);
    };
    egress.outbound.dial = [this](tcp::endpoint) {
      return dial_tcp({asio::ip::address_v4::loopback(), server_.port()});
    };
  }

  std::vector<EgressRecord> records_;
  std::vector<std::string> requests_;
  SandboxFixture box_;
  Loopback server_;
};

policies::Network names() {
  policies::Network network;
  network.hosts = {allowed("api.test", 80), allowed("rebound.test", 80)};
  return network;
}

// What a program does that heeds the proxy variables.
std::string through_proxy(const std::string& host) {
  return "at=${http_proxy#http://}; exec 3<>/dev/tcp/${at%:*}/${at#*:} || exit 9;"
         "printf 'GET http://" +
         host + "/x HTTP/1.1\\r\\nHost: " + host +
         "\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3";
}

TEST_CASE("in a container an allowed name is reached through the proxy, and counted", "[sandbox]") {
  WayOut way(names());
  const Outcome outcome = way.sh(through_proxy("api.test"));
  INFO(outcome.err.text());
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text().ends_with("hello\n"));
  CHECK(outcome.denials.empty());
  REQUIRE(way.requests().size() == 1);
  CHECK(way.requests().front().starts_with("GET /x HTTP/1.1\r\n"));
  REQUIRE(way.records().size() == 1);
  const EgressRecord& record = way.records().front();
  CHECK(record.name == "api.test");
  CHECK(record.address == "192.0.2.1");
  CHECK(record.rule == "rule");
  CHECK(record.verdict == Verdict::allow);
  CHECK(record.bytes_up > 0);
  CHECK(record.bytes_down == std::string_view(kAnswer).size());
}

TEST_CASE("in a container other names, and names that lead home, are refused", "[sandbox]") {
  WayOut way(names());
  const std::string host = GENERATE("evil.test", "api.test:81", "rebound.test", "127.0.0.1");
  const Outcome outcome = way.sh(through_proxy(host));
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text().starts_with("HTTP/1.1 403 "));
  CHECK(way.requests().empty());
  REQUIRE(way.records().size() == 1);
  CHECK(way.records().front().verdict == Verdict::deny);
}

TEST_CASE("the proxy of a container's session is nowhere on the host", "[sandbox]") {
  WayOut way(names());
  const Outcome outcome = way.sh(
      "echo ${http_proxy##*:}; exec 3<>/dev/tcp/127.0.0.1/${http_proxy##*:};"
      "echo $?; grep -c :0C38 /proc/net/tcp");
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text() == "3128\n0\n0\n");
  // Nor does a session find another's.
  SandboxFixture other({[](LauncherOptions& options) { options.rung = Rung::container; }});
  Command command;
  command.argv = {"/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3128"};
  CHECK(other.run(command).exit_code != 0);
}

TEST_CASE("without hosts in the policy there is no proxy", "[sandbox]") {
  WayOut way({});
  const Outcome outcome =
      way.sh("echo ${http_proxy-none}; exec 3<>/dev/tcp/127.0.0.1/3128 || echo refused");
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text() == "none\nrefused\n");
}

// An address of this machine that is not loopback's; "" without one.
std::string interface_address() {
  std::string found;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return found;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_LOOPBACK) != 0 || (one->ifa_flags & IFF_UP) == 0) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr)
      found = text.data();
  }
  ::freeifaddrs(all);
  return found;
}

TEST_CASE("in a container an address that a rule lists is carried, and counted", "[sandbox]") {
  const std::string address = interface_address();
  if (address.empty())
    return test::skip("no interface but loopback: no connection to an address was tested");
  const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  REQUIRE(::inet_pton(AF_INET, address.c_str(), &at.sin_addr) == 1);
  socklen_t size = sizeof at;
  auto* bytes = reinterpret_cast<sockaddr*>(&at);
  REQUIRE(::bind(server.get(), bytes, size) == 0);
  REQUIRE(::listen(server.get(), 4) == 0);
  REQUIRE(::getsockname(server.get(), bytes, &size) == 0);
  const std::uint16_t port = ntohs(at.sin_port);
  policies::Network network;
  network.hosts = {allowed(address, port)};
  WayOut way(network);
  // The bytes lie in the server's queue: it needs to take nothing for that.
  const Outcome outcome = way.sh("exec 3<>/dev/tcp/" + address + "/" + std::to_string(port) +
                                 " && printf twelve-bytes >&3; exec 4<>/dev/tcp/" + address +
                                 "/1 || echo other port refused");
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text() == "other port refused\n");
  REQUIRE(outcome.denials.size() == 1);
  REQUIRE(way.records().size() == 1);
  CHECK(way.records().front().address == address);
  CHECK(way.records().front().port == port);
  const UniqueFd taken(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  std::array<char, 32> buffer{};
  const ssize_t read = ::read(taken.get(), buffer.data(), buffer.size());
  CHECK(std::string_view(buffer.data(), static_cast<std::size_t>(read > 0 ? read : 0)) ==
        "twelve-bytes");
  CHECK(way.records().front().bytes_up == 12);
}

TEST_CASE("a pair on loopback has no third end", "[sandbox]") {
  asio::io_context io{1};
  SystemClock clock;
  for (const int family : {AF_INET, AF_INET6}) {
    const auto error = test::run_to_end(io, [&]() -> asio::awaitable<void> {
      auto pair = co_await loopback_pair(clock, family);
      REQUIRE(pair);
      int found = 0;
      socklen_t size = sizeof found;
      CHECK(::getsockopt(pair->near.get(), SOL_SOCKET, SO_DOMAIN, &found, &size) == 0);
      CHECK(found == family);
      CHECK(::send(pair->near.get(), "x", 1, 0) == 1);
      char byte = 0;
      CHECK(::recv(pair->far.get(), &byte, 1, 0) == 1);
      CHECK(byte == 'x');
    }());
    CHECK_FALSE(error);
  }
}

}  // namespace
}  // namespace fathom::sandbox
