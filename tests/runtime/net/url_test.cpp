#include "runtime/net/url.hpp"

#include "tests/support/catch.hpp"

#include <string>
#include <vector>

using namespace fathom;
using namespace fathom::net;

TEST_CASE("a URL is its origin and its target", "[runtime]") {
  CHECK(Url::parse("https://api.example.com/v1/chat?x=%20y").value() ==
        Url{{Scheme::https, "api.example.com", 443}, "/v1/chat?x=%20y"});
  CHECK(Url::parse("HTTP://Example.COM").value() == Url{{Scheme::http, "example.com", 80}, "/"});
  CHECK(Url::parse("http://h:8080?q=1").value() == Url{{Scheme::http, "h", 8080}, "/?q=1"});
  CHECK(Url::parse("http://[::0:1]:81/").value() == Url{{Scheme::http, "::1", 81}, "/"});
  CHECK(Url::parse("http://127.0.0.1/").value().origin.host == "127.0.0.1");
  CHECK(Url::parse("https://my_host-1.local/a/../b").value().target == "/a/../b");
}

TEST_CASE("an origin is written with its port for people and without it for the Host header",
          "[runtime]") {
  CHECK(Origin{Scheme::https, "a.example", 443}.host_port() == "a.example:443");
  CHECK(Origin{Scheme::https, "a.example", 443}.authority() == "a.example");
  CHECK(Origin{Scheme::http, "a.example", 443}.authority() == "a.example:443");
  CHECK(Origin{Scheme::http, "::1", 80}.authority() == "[::1]");
  CHECK(Origin{Scheme::http, "::1", 81}.host_port() == "[::1]:81");
}

TEST_CASE("what is parsed prints as what was meant", "[runtime]") {
  for (const char* text : {"https://api.example.com/v1?x=1", "http://[fe80::1]:8080/",
                           "http://10.0.0.1/", "https://h:80/%2F"})
    CHECK(Url::parse(text).value().to_string() == text);
}

TEST_CASE("a URL that two programs could read differently is refused with its reason",
          "[runtime]") {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"", "url: it must begin with http:// or https://"},
      {"ftp://h/", "url: it must begin with http:// or https://"},
      {"http:/h", "url: it must begin with http:// or https://"},
      {"x.http://h", "url: it must begin with http:// or https://"},
      {"http://", "url: the host is missing"},
      {"http://:80/", "url: the host is missing"},
      {"http://h:/", "url: the port is not a number from 1 to 65535"},
      {"http://h:0/", "url: the port is not a number from 1 to 65535"},
      {"http://h:65536/", "url: the port is not a number from 1 to 65535"},
      {"http://h:000080/", "url: the port is not a number from 1 to 65535"},
      {"http://h:80x/", "url: the port is not a number from 1 to 65535"},
      {"http://a..b/", "url: the host has an empty label"},
      {"http://a./", "url: the host ends in a dot"},
      {"http://a%2eb/", "url: the host may only hold letters, digits, '-', '_' and '.'"},
      {"http://[::1/", "url: the host has '[' without ']'"},
      {"http://[::1]x/", "url: only ':' and a port may follow the host"},
      {"http://[1.2.3.4]/", "url: what stands in [brackets] is not an IPv6 address"},
      {"http://[fe80::1%25eth0]/", "url: an IPv6 zone is not accepted"},
      {"http://h/#top", "url: a fragment (#...) is not sent to a server: leave it out"},
      {"http://h#top", "url: a fragment (#...) is not sent to a server: leave it out"},
      {"http://h/%2", "url: '%' in the path or query needs two hexadecimal digits after it"},
      {"http://h/{id}", "url: percent-encode '{' in the path or query"},
      {"http://h/a b", "url: byte 11 is a space or a control character"},
      {"http://h/\r\nX: 1", "url: byte 10 is a space or a control character"},
      {std::string("http://h/\0", 10), "url: byte 10 is a space or a control character"},
  };
  for (const auto& [text, why] : refused) {
    INFO(text);
    CHECK(Url::parse(text).error() == Error{ErrorCode::bad_data, why});
  }
  CHECK(Url::parse("http://h/\xC3\xA4").error().message.starts_with("url: byte 10 is not ASCII"));
  CHECK(Url::parse("http://h/" + std::string(kUrlBytesMax, 'a')).error().code ==
        ErrorCode::too_large);
  CHECK_FALSE(Url::parse("http://" + std::string(64, 'a') + "/"));
}

TEST_CASE("only one spelling of an IPv4 address is accepted", "[runtime]") {
  CHECK(Url::parse("http://1.2.3.4/"));
  for (const char* text :
       {"http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/",
        "http://1.2.3.256/", "http://01.2.3.4/", "http://a.1/"}) {
    INFO(text);
    CHECK_FALSE(Url::parse(text));
  }
}

TEST_CASE("a password in a URL is refused and does not reach the error", "[runtime]") {
  for (const char* text :
       {"https://user:hunter2@h/", "https://hunter2@h/", "https://u:hunter2@h:x/",
        "https://u:hun/ter2@h/", "https://u:hunter2 @h/"}) {
    const Error error = Url::parse(text).error();
    CHECK(error.message.find("hun") == std::string::npos);
  }
  CHECK(Url::parse("https://user:pw@h/").error().message ==
        "url: a user or password before the host is not accepted (send an authorization header)");
}

TEST_CASE("addresses and loopback hosts are told from names", "[runtime]") {
  CHECK(is_ip_address("1.2.3.4"));
  CHECK(is_ip_address("::1"));
  CHECK_FALSE(is_ip_address("one.example"));
  CHECK(is_loopback("127.8.9.10"));
  CHECK(is_loopback("::1"));
  CHECK(is_loopback("localhost"));
  CHECK(is_loopback("a.localhost"));
  CHECK_FALSE(is_loopback("localhost.example"));
  CHECK_FALSE(is_loopback("128.0.0.1"));
}
