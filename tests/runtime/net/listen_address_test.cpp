#include "runtime/net/listen_address.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::net;

TEST_CASE("listen addresses are read and written in one form", "[runtime]") {
  struct Row {
    const char* text;
    ListenAddress address;
    const char* canonical;
    bool is_local;
  };
  using Kind = ListenAddress::Kind;
  const Row rows[] = {
      {"127.0.0.1:8420", {Kind::tcp, "127.0.0.1", 8420, ""}, "127.0.0.1:8420", true},
      {"localhost:0", {Kind::tcp, "127.0.0.1", 0, ""}, "127.0.0.1:0", true},
      {"[::1]:0", {Kind::tcp, "::1", 0, ""}, "[::1]:0", true},
      {"[0:0::1]:80", {Kind::tcp, "::1", 80, ""}, "[::1]:80", true},
      {"127.3.2.1:65535", {Kind::tcp, "127.3.2.1", 65535, ""}, "127.3.2.1:65535", true},
      {"0.0.0.0:80", {Kind::tcp, "0.0.0.0", 80, ""}, "0.0.0.0:80", false},
      {"[::]:80", {Kind::tcp, "::", 80, ""}, "[::]:80", false},
      {"192.168.1.2:80", {Kind::tcp, "192.168.1.2", 80, ""}, "192.168.1.2:80", false},
      {"unix:/run/x:1.sock",
       {Kind::unix_socket, "", 0, "/run/x:1.sock"},
       "unix:/run/x:1.sock",
       true},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto parsed = ListenAddress::parse(row.text);
    REQUIRE(parsed);
    CHECK(*parsed == row.address);
    CHECK(parsed->to_string() == row.canonical);
    CHECK(parsed->is_local() == row.is_local);
  }
}

TEST_CASE("a listen address that cannot be says why and how to write one", "[runtime]") {
  const std::pair<std::string, const char*> rows[] = {
      {"", "the port is missing"},
      {"8420", "the port is missing"},
      {"127.0.0.1", "the port is missing"},
      {"127.0.0.1:", "the port is not a number from 0 to 65535"},
      {"127.0.0.1:65536", "the port is not a number from 0 to 65535"},
      {"127.0.0.1:-1", "the port is not a number from 0 to 65535"},
      {"127.0.0.1:80x", "the port is not a number from 0 to 65535"},
      {"::1:80", "the host is not an IP address"},
      {"[127.0.0.1]:80", "the host is not an IP address"},
      {"[]:80", "the host is not an IP address"},
      {":80", "the host is not an IP address"},
      {"example.com:80", "the host is not an IP address"},
      {"unix:", "the path is missing"},
      {std::string("unix:a\0b", 8), "the path holds a zero byte"},
  };
  for (const auto& [text, why] : rows) {
    INFO(text);
    const auto parsed = ListenAddress::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() ==
          Error{ErrorCode::usage, "listen " + text + ": " + why +
                                      " (write 127.0.0.1:8420, [::1]:8420 or unix:PATH)"});
  }
}
