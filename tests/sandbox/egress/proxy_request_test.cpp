#include "sandbox/egress/proxy_request.hpp"

#include "sandbox/egress/http_proxy_head.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <string_view>
#include <vector>

using namespace fathom;
using namespace fathom::sandbox;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

// The last step of a conversation in which the program says all of `bytes`, in pieces of `piece`.
ProxyStep last_step(std::string_view bytes, std::size_t piece, std::string* replies = nullptr) {
  ProxyRequest request;
  ProxyStep step = proxy_step::Read{};
  for (;;) {
    if (const auto* reply = std::get_if<proxy_step::Reply>(&step)) {
      if (replies != nullptr) *replies += reply->bytes;
      step = request.feed("");
    } else if (!std::holds_alternative<proxy_step::Read>(step) || bytes.empty()) {
      // What had not been fed yet travels behind the request.
      if (auto* connect = std::get_if<proxy_step::Connect>(&step)) connect->up += bytes;
      return step;
    } else {
      step = request.feed(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
  }
}

// One line for what became of a request, the same however it was cut into pieces.
std::string outcome(std::string_view bytes) {
  std::string text;
  for (const std::size_t piece : {bytes.size(), std::size_t{1}, std::size_t{3}}) {
    const ProxyStep step = last_step(bytes, piece);
    std::string here = "waits";
    if (const auto* connect = std::get_if<proxy_step::Connect>(&step))
      here = std::string(name_of(connect->via)) + " " + connect->to.host() + " " +
             std::to_string(connect->to.port) + " " + connect->up;
    if (const auto* refuse = std::get_if<proxy_step::Refuse>(&step)) here = "no: " + refuse->why;
    if (!text.empty()) CHECK(here == text);
    text = here;
  }
  return text;
}

std::string socks(std::string_view type_and_host, std::string_view port = "\x01\xbb") {
  return "\x05\x01\x00\x05\x01\x00"s + std::string(type_and_host) + std::string(port);
}

std::string socks_name(std::string_view name) {
  return socks("\x03"s + static_cast<char>(name.size()) + std::string(name));
}

}  // namespace

TEST_CASE("CONNECT names a host and a port, and what follows goes through", "[sandbox-egress]") {
  CHECK(outcome("CONNECT Api.Test:443 HTTP/1.1\r\nHost: whatever\r\nProxy-Connection: x\r\n\r\n") ==
        "connect api.test 443 ");
  CHECK(outcome("CONNECT [::1]:8443 HTTP/1.0\r\n\r\n") == "connect ::1 8443 ");
  CHECK(outcome("CONNECT api.test:22 HTTP/1.1\r\n\r\n\x16\x03\x01"s) ==
        "connect api.test 22 \x16\x03\x01");
}

TEST_CASE("CONNECT to anything but host and port is refused", "[sandbox-egress]") {
  for (const char* target : {"api.test",
                             "api.test:",
                             "api.test:0",
                             "api.test:443:443",
                             "api.test:99999",
                             "user@api.test:443",
                             "http://api.test:443",
                             "api.test:443/",
                             "[api.test]:443",
                             "[::1]443",
                             "[::1",
                             "::1:443",
                             "2130706433:443",
                             "127.1:443",
                             ":443",
                             "api.test:+443",
                             "*:443",
                             "api.test%00.evil:443",
                             "api..test:443",
                             "[fe80::1%25lo]:443"}) {
    INFO(target);
    CHECK(outcome("CONNECT "s + target + " HTTP/1.1\r\n\r\n").starts_with("no: "));
  }
}

TEST_CASE("a plain request is forwarded in origin form, with the host it was decided on",
          "[sandbox-egress]") {
  CHECK(outcome("GET HTTP://Api.Test/path?q=1 HTTP/1.1\r\nHost: other.test\r\nAccept: */*\r\n"
                "Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\n"
                "\r\nbody") ==
        "http api.test 80 GET /path?q=1 HTTP/1.1\r\nHost: api.test\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\nbody");
  CHECK(outcome("POST http://[::1]:8080 HTTP/1.1\r\nContent-Length: 2\r\n\r\nok") ==
        "http ::1 8080 POST / HTTP/1.1\r\nHost: [::1]:8080\r\nContent-Length: 2\r\n"
        "Connection: close\r\n\r\nok");
  CHECK(outcome("GET http://api.test?q HTTP/1.0\r\n\r\n") ==
        "http api.test 80 GET /?q HTTP/1.0\r\nHost: api.test\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a request that two readers could read differently is refused", "[sandbox-egress]") {
  const std::vector<std::string> rows = {
      "GET /path HTTP/1.1\r\n\r\n",
      "GET https://api.test/ HTTP/1.1\r\n\r\n",
      "GET ftp://api.test/ HTTP/1.1\r\n\r\n",
      "GET http://user:pw@api.test/ HTTP/1.1\r\n\r\n",
      "GET http://api.test\\@evil.test/ HTTP/1.1\r\n\r\n",
      "GET http://api.test/#x HTTP/1.1\r\n\r\n",
      "GET http:///path HTTP/1.1\r\n\r\n",
      "GET http://api.test:0/ HTTP/1.1\r\n\r\n",
      "GET  http://api.test/ HTTP/1.1\r\n\r\n",
      "GET http://api.test/ x HTTP/1.1\r\n\r\n",
      "GET http://api.test/ HTTP/2.0\r\n\r\n",
      "GET http://api.test/\r\n\r\n",
      "G\x01T http://api.test/ HTTP/1.1\r\n\r\n",
      "GET http://api.test/ HTTP/1.1\nHost: x\n\n",
      "GET http://api.test/ HTTP/1.1\r\nA: b\rc\r\n\r\n",
      "GET http://api.test/ HTTP/1.1\r\n folded: x\r\n\r\n",
      "GET http://api.test/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
      "GET http://api.test/ HTTP/1.1\r\nno colon\r\n\r\n",
      "GET http://api.test/ HTTP/1.1\r\nname : x\r\n\r\n",
      "GET http://api.test/ HTTP/1.1\r\nA: \0\r\n\r\n"s,
      "GET http://api.test/\xff HTTP/1.1\r\n\r\n",
      "GET http://api.test\0.evil/ HTTP/1.1\r\n\r\n"s,
      "POST http://api.test/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "POST http://a.test/ HTTP/1.1\r\nContent-Length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
      "\r\nGET http://api.test/ HTTP/1.1\r\n\r\n",
      "\x16\x03\x01\x02\x00",
      "SSH-2.0-x\r\n\r\n",
  };
  for (const std::string& row : rows) {
    INFO(row);
    CHECK(outcome(row).starts_with("no: "));
  }
}

TEST_CASE("the head of a request is bounded", "[sandbox-egress]") {
  const std::string line = "GET http://api.test/ HTTP/1.1\r\n";
  CHECK(outcome(line + "A: " + std::string(kProxyHeadBytesMax, 'a')) ==
        "no: the request's head has more than 16 KiB");
  std::string fields;
  for (std::size_t i = 0; i <= kProxyFieldsMax; ++i) fields += "a:b\r\n";
  CHECK(outcome(line + fields + "\r\n") == "no: the request has more than 128 header fields");
  CHECK(outcome(line + "A: b") == "waits");
  CHECK(outcome("") == "waits");
}

TEST_CASE("SOCKS5 names a host or an address", "[sandbox-egress]") {
  CHECK(outcome(socks_name("Api.Test")) == "socks5 api.test 443 ");
  CHECK(outcome(socks("\x01\x7f\x00\x00\x01"sv)) == "socks5 127.0.0.1 443 ");
  CHECK(outcome(socks("\x04"s + std::string(15, '\0') + "\x01")) == "socks5 ::1 443 ");
  CHECK(outcome(socks("\x04"s + std::string(10, '\0') + "\xff\xff\xa9\xfe\xa9\xfe")) ==
        "socks5 169.254.169.254 443 ");
  CHECK(outcome(socks_name("api.test") + "early") == "socks5 api.test 443 early");
  std::string replies;
  (void)last_step(socks_name("api.test"), 100, &replies);
  CHECK(replies == "\x05\x00"s);
}

TEST_CASE("a SOCKS name is judged as a whole, whatever its length byte hides", "[sandbox-egress]") {
  for (const std::string_view name :
       {"evil.test\0.api.test"sv, "api.test\0"sv, ""sv, "127.1"sv, "2130706433"sv,
        "user@api.test"sv, "api.test:80"sv, "[::1"sv, "fe80::1%lo"sv, "a b"sv, "\xc3\xa4.test"sv}) {
    INFO(name);
    CHECK(outcome(socks_name(name)).starts_with("no: "));
  }
  // A length that reaches beyond what was sent waits; one that stops short takes the rest as port.
  CHECK(outcome(socks("\x03\xff"
                      "api.test")) == "waits");
  CHECK(outcome(socks("\x03\x03"
                      "api.test",
                      "")) == "socks5 api 11892 est");
}

TEST_CASE("other commands, versions and methods of SOCKS are refused", "[sandbox-egress]") {
  CHECK(outcome("\x05\x01\x02"s) == "no: the proxy asks for no user or password");
  CHECK(outcome("\x05\x00"s) == "no: the proxy asks for no user or password");
  CHECK(outcome("\x04\x01\x00\x50"s) == "no: the proxy speaks SOCKS5, not 4");
  CHECK(outcome("\x05\x01\x00\x05\x02\x00\x01\x01\x02\x03\x04\x00\x50"s) ==
        "no: of SOCKS, only CONNECT is served");
  CHECK(outcome("\x05\x01\x00\x05\x03\x00\x01\x01\x02\x03\x04\x00\x50"s) ==
        "no: of SOCKS, only CONNECT is served");
  CHECK(outcome("\x05\x01\x00\x05\x01\x01\x01\x01\x02\x03\x04\x00\x50"s) ==
        "no: the SOCKS request is not well formed");
  CHECK(outcome("\x05\x01\x00\x05\x01\x00\x02\x01\x02\x03\x04\x00\x50"s) ==
        "no: the SOCKS address type is unknown");
  CHECK(outcome(socks("\x01\x01\x01\x01\x01", "\0\0"sv)) ==
        "no: the port is no number from 1 to 65535");
}

TEST_CASE("a refusal speaks the program's language and says why", "[sandbox-egress]") {
  CHECK(
      ProxyRequest::refused(Via::connect, ProxyRefusal::forbidden, "evil.test:443 is not listed") ==
      "HTTP/1.1 403 Forbidden (evil.test:443 is not listed)\r\nContent-Type: text/plain\r\n"
      "Content-Length: 28\r\nConnection: close\r\n\r\nevil.test:443 is not listed\n");
  CHECK(ProxyRequest::refused(Via::socks5, ProxyRefusal::forbidden, "no") ==
        "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"s);
  const std::string split =
      ProxyRequest::refused(Via::http, ProxyRefusal::malformed, "a\r\nSet: b");
  CHECK(split.find("\nSet") == std::string::npos);
  CHECK(ProxyRequest::accepted(Via::socks5) == "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"s);
  CHECK(ProxyRequest::accepted(Via::http).empty());
}
