#include "policies/host_pattern.hpp"

#include "tests/support/catch.hpp"

#include <vector>

using namespace fathom::policies;

namespace {

constexpr bool kYes = true;
constexpr bool kNo = false;

struct Case {
  const char* pattern;
  std::string host;
  bool matches;
};

std::string zeros(std::size_t count) { return std::string(count, 'a'); }

std::string with_nul(std::string_view before, std::string_view after) {
  return std::string(before) + '\0' + std::string(after);
}

// A name of exactly `size` bytes in labels of 50.
std::string long_name(std::size_t size) {
  std::string name;
  while (name.size() < size) name += name.size() % 51 == 50 ? '.' : 'a';
  return name;
}

const std::vector<Case> kCases = {
    // The same host in other clothes.
    {"example.com", "example.com", kYes},
    {"example.com", "EXAMPLE.com", kYes},
    {"Example.COM", "example.com", kYes},
    {"example.com", "example.com.", kYes},
    {"example.com.", "example.com", kYes},
    {"xn--bcher-kva.example", "XN--BCHER-KVA.example", kYes},
    {"my_host.example.com", "my_host.example.com", kYes},
    {"a-b.example.com", "a-b.example.com", kYes},
    {"3com.com", "3com.com", kYes},
    {"localhost", "LOCALHOST.", kYes},
    {"1.2.3.4", "1.2.3.4", kYes},
    {"1.2.3.4", "::ffff:1.2.3.4", kYes},
    {"1.2.3.4", "[::ffff:102:304]", kYes},
    {"2606:4700::1", "[2606:4700::1]", kYes},
    {"[2606:4700::1]", "2606:4700:0:0::1", kYes},
    {"2606:4700::1", "2606:4700:0000::0001", kYes},
    // Below a name, and not itself.
    {"*.example.com", "a.example.com", kYes},
    {"*.example.com", "a.b.c.example.com", kYes},
    {"*.example.com", "A.Example.Com.", kYes},
    {"*.example.com", "example.com", kNo},
    {"*.example.com", ".example.com", kNo},
    {"*.example.com", "example.com.", kNo},
    {"example.com", "a.example.com", kNo},
    // Suffix and prefix confusion.
    {"example.com", "evil-example.com", kNo},
    {"example.com", "evilexample.com", kNo},
    {"example.com", "example.com.evil", kNo},
    {"example.com", "example.com.evil.net", kNo},
    {"example.com", "example.comx", kNo},
    {"example.com", "example.co", kNo},
    {"example.com", "xample.com", kNo},
    {"*.example.com", "evil-example.com", kNo},
    {"*.example.com", "a.evil-example.com", kNo},
    {"*.example.com", "evilexample.com", kNo},
    {"*.example.com", "a.example.com.evil", kNo},
    {"*.example.com", "aexample.com", kNo},
    {"*.example.com", "a.example.comx", kNo},
    {"*.example.com", "example.com.example.net", kNo},
    {"*.example.com", "*.example.com", kNo},
    {"*.example.com", "*", kNo},
    // Dots.
    {"example.com", "example.com..", kNo},
    {"example.com", ".example.com", kNo},
    {"example.com", "example..com", kNo},
    {"*.example.com", "a..example.com", kNo},
    {"*.example.com", "..example.com", kNo},
    {"example.com",
     "example\xE3\x80\x82"
     "com",
     kNo},  // an ideographic full stop
    {"example.com",
     "example\xEF\xBC\x8E"
     "com",
     kNo},  // a full-width one
    {"example.com", ".", kNo},
    {"example.com", "", kNo},
    // Letters that look or fold alike.
    {"example.com", "\xD0\xB5xample.com", kNo},  // a Cyrillic e
    {"example.com", "\xEF\xBD\x85xample.com", kNo},
    {"example.com", "exampl\xC3\xA9.com", kNo},
    {"kelvin.com",
     "\xE2\x84\xAA"
     "elvin.com",
     kNo},  // the Kelvin sign, which lower-cases to k
    {"example.com", "xn--xample-2of.com", kNo},
    {"example.com", "example\xC2\xAD.com", kNo},  // a soft hyphen
    {"example.com", "example.com\xE2\x80\x8B", kNo},
    {"example.com", "\xFF", kNo},
    // Bytes that other programs stop at or skip.
    {"example.com", with_nul("example.com", ""), kNo},
    {"example.com", with_nul("example.com", ".evil.net"), kNo},
    {"*.example.com", with_nul("evil.net", ".example.com"), kNo},
    {"*.example.com", with_nul("", ".example.com"), kNo},
    {"example.com", "example.com\n", kNo},
    {"example.com", "example.com\r\nHost: evil", kNo},
    {"example.com", " example.com", kNo},
    {"example.com", "example.com ", kNo},
    {"example.com", "example.com\t", kNo},
    {"example.com", "exam ple.com", kNo},
    {"example.com", "example.com\x7f", kNo},
    // Percent signs, users, ports, schemes and paths.
    {"example.com", "example.com%00", kNo},
    {"example.com", "example%2ecom", kNo},
    {"*.example.com", "evil.net%2f.example.com", kNo},
    {"*.example.com", "evil.net%00.example.com", kNo},
    {"example.com", "user@example.com", kNo},
    {"*.example.com", "evil.net@a.example.com", kNo},
    {"example.com", "example.com@evil.net", kNo},
    {"example.com", "user:pw@example.com", kNo},
    {"example.com", "example.com:443", kNo},
    {"example.com", "example.com:", kNo},
    {"*.example.com", "evil.net:80.example.com", kNo},
    {"example.com", "https://example.com", kNo},
    {"example.com", "example.com/", kNo},
    {"*.example.com", "evil.net/.example.com", kNo},
    {"*.example.com", "evil.net\\.example.com", kNo},
    {"*.example.com", "evil.net#.example.com", kNo},
    {"*.example.com", "evil.net?.example.com", kNo},
    {"*.example.com", "evil.net;.example.com", kNo},
    {"*.example.com", "$(id).example.com", kNo},
    {"*.example.com", "a,b.example.com", kNo},
    // Labels.
    {"*.example.com", zeros(63) + ".example.com", kYes},
    {"*.example.com", zeros(64) + ".example.com", kNo},
    {"*.example.com", long_name(240) + ".example.com", kYes},
    {"*.example.com", long_name(242) + ".example.com", kNo},
    {"*.example.com", zeros(100'000) + ".example.com", kNo},
    {"*.example.com", "-a.example.com", kNo},
    {"*.example.com", "a-.example.com", kNo},
    // Addresses in disguise.
    {"127.0.0.1", "127.1", kNo},
    {"127.0.0.1", "2130706433", kNo},
    {"127.0.0.1", "0x7f000001", kNo},
    {"127.0.0.1", "0x7f.0.0.1", kNo},
    {"127.0.0.1", "0177.0.0.1", kNo},
    {"127.0.0.1", "127.0.0.01", kNo},
    {"127.0.0.1", "127.0.0.1.", kNo},
    {"127.0.0.1", "[127.0.0.1]", kNo},
    {"127.0.0.1", "127.0.0.1:80", kNo},
    {"127.0.0.1",
     "\xE2\x91\xA0"
     "27.0.0.1",
     kNo},  // a circled 1
    {"*.example.com", "1.2.3.4", kNo},
    {"1.2.3.4", "1.2.3.5", kNo},
    {"1.2.3.4", "1.2.3.4.example.com", kNo},
    {"1.2.3.4", "64:ff9b::102:304", kNo},  // through a gateway: another way there
    {"1.2.3.4", "2002:102:304::", kNo},
    {"::1", "[::1", kNo},
    {"::1", "::1]", kNo},
    {"::1", "[::1]:80", kNo},
    {"::1", "[[::1]]", kNo},
    {"::1", "[]", kNo},
    {"fe80::1", "fe80::1%eth0", kNo},
    {"fe80::1", "[fe80::1%25eth0]", kNo},
    {"::1", "0:0:0:0:0:0:0:1", kYes},
    {"::1", "::2", kNo},
};

std::string why(std::string_view pattern) {
  const auto parsed = HostPattern::parse(pattern);
  return parsed ? "accepted" : parsed.error().message;
}

}  // namespace

TEST_CASE("a pattern matches the hosts it means and no other", "[policies]") {
  REQUIRE(kCases.size() >= 100);
  for (const Case& row : kCases) {
    INFO(row.pattern << " against " << row.host.substr(0, 80));
    const auto pattern = HostPattern::parse(row.pattern);
    REQUIRE(pattern);
    CHECK(pattern->matches(row.host) == row.matches);
  }
}

TEST_CASE("a pattern that means more than it seems is refused with the fix", "[policies]") {
  CHECK(why("*").find("is every host") == 0);
  CHECK(why("*.com").find("is all of a top-level domain") == 0);
  CHECK(why("*.1.2.3.4").find("has '*.' before an address") == 0);
  for (const char* pattern :
       {"a*.example.com", "*example.com", "a.*.com", "*.*.com", "**.a.com", "*.", "example.*"})
    CHECK(why(pattern) != "accepted");
  CHECK(why("example.com:443").find("(state ports under 'ports')") != std::string::npos);
  CHECK(why("https://example.com").find("':'") != std::string::npos);
  CHECK(why("b\xC3\xBC"
            "cher.example")
            .find("xn-- form") != std::string::npos);
  CHECK(why("2130706433").find("another spelling of an IPv4 address") != std::string::npos);
  CHECK(why("1e3.0x1").find("another spelling") != std::string::npos);
}

TEST_CASE("hosts and patterns print as what reads back the same", "[policies]") {
  for (const char* text : {"example.com", "*.example.com", "1.2.3.4", "2606:4700::1"})
    CHECK(HostPattern::parse(text)->to_string() == text);
  CHECK(Host::parse("EXAMPLE.com.")->to_string() == "example.com");
  CHECK(Host::parse("a.localhost")->is_localhost());
  CHECK_FALSE(Host::parse("notlocalhost")->is_localhost());
}
