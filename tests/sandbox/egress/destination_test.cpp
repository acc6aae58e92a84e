#include "sandbox/egress/destination.hpp"

#include "tests/support/catch.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace fathom;
using namespace fathom::sandbox;
using namespace std::string_view_literals;

TEST_CASE("a host name has one spelling", "[sandbox-egress]") {
  const std::string label63(63, 'a');
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"example.com", "example.com"},
      {"EXAMPLE.Com", "example.com"},
      {"example.com.", "example.com"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"_dmarc.example.com", "_dmarc.example.com"},
      {"a-b.c1", "a-b.c1"},
      {"localhost", "localhost"},
      {"1.2.3.4.example", "1.2.3.4.example"},
      {"0x7f.1.example", "0x7f.1.example"},
      {label63 + ".test", label63 + ".test"},
  };
  for (const auto& [text, name] : rows) {
    INFO(text);
    const auto to = parse_destination(text, 443);
    REQUIRE(to);
    CHECK(*to == Destination{name, {}, 443});
  }
}

TEST_CASE("an address is canonical, and IPv4 within IPv6 is IPv4", "[sandbox-egress]") {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"127.0.0.1", "127.0.0.1"},
      {"::1", "::1"},
      {"[::1]", "::1"},
      {"[2001:DB8::0:1]", "2001:db8::1"},
      {"::ffff:169.254.169.254", "169.254.169.254"},
      {"[::ffff:7f00:1]", "127.0.0.1"},
  };
  for (const auto& [text, address] : rows) {
    INFO(text);
    const auto to = parse_destination(text, 80);
    REQUIRE(to);
    CHECK(to->name.empty());
    CHECK(to->host() == address);
  }
}

TEST_CASE("other spellings of a host are refused, not repaired", "[sandbox-egress]") {
  const std::vector<std::string_view> rows = {
      "",
      ".",
      "..",
      ".example.com",
      "example..com",
      "example.com..",
      "example.com:443",
      "user@example.com",
      "evil.test\0.example.com"sv,
      "example.com\0"sv,
      "example.com\n",
      " example.com",
      "example.com ",
      "example.com/",
      "example.com#",
      "exam%70le.com",
      "ex\xc3\xa4mple.com",
      "*.example.com",
      "2130706433",
      "0x7f000001",
      "0x7f.1",
      "0x",
      "127.1",
      "127.0.0.1.",
      "127.0.0.01",
      "0177.0.0.1",
      "127.0.0.256",
      "1.2.3",
      "[127.0.0.1]",
      "[example.com]",
      "[::1",
      "::1]",
      "[]",
      "fe80::1%lo",
      "fe80::1%1",
      "::1\0"sv,
      ":::1",
      "\\101.example.com",
  };
  for (const std::string_view text : rows) {
    INFO(text);
    CHECK_FALSE(parse_destination(text, 443));
  }
  CHECK_FALSE(parse_destination(std::string(64, 'a') + ".test", 443));
  std::string longest;
  while (longest.size() < 253) longest += "a.";
  CHECK(parse_destination(longest.substr(0, 253), 443));
  CHECK_FALSE(parse_destination(longest.substr(0, 252) + "aa", 443));
  CHECK_FALSE(parse_destination("example.com", 0));
}

TEST_CASE("a port is a plain number from 1 to 65535", "[sandbox-egress]") {
  CHECK(parse_port("1").value() == 1);
  CHECK(parse_port("65535").value() == 65535);
  for (const std::string_view text : {""sv, "0"sv, "00443"sv, "65536"sv, "+80"sv, "-1"sv, " 80"sv,
                                      "80 "sv, "0x50"sv, "80\0"sv, "4294967377"sv}) {
    INFO(text);
    CHECK_FALSE(parse_port(text));
  }
}
