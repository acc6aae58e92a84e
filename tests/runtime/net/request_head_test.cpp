#include "runtime/net/request_head.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::net;

namespace {

const Route kDirect{{Scheme::https, "api.example.com", 443}, {}};

Route through_proxy(Scheme scheme) {
  return {{scheme, "api.example.com", default_port(scheme)},
          Proxy{{Scheme::http, "proxy.example", 3128}, "Basic c2VjcmV0", "HTTP_PROXY"}};
}

std::string refusal(const HttpRequest& request) {
  const Result<std::string> head = encode_request_head(request, kDirect);
  return head ? "accepted" : head.error().message;
}

}  // namespace

TEST_CASE("a request head is its line, Host, the caller's fields and what frames the body",
          "[runtime]") {
  CHECK(
      encode_request_head({"POST", "/v1/chat?x=1", {{"Authorization", "Bearer k"}}, "{}"}, kDirect)
          .value() ==
      "POST /v1/chat?x=1 HTTP/1.1\r\n"
      "Host: api.example.com\r\n"
      "Authorization: Bearer k\r\n"
      "User-Agent: fathom\r\n"
      "Accept-Encoding: identity\r\n"
      "Content-Length: 2\r\n"
      "\r\n");
  CHECK(encode_request_head({"GET", "/", {{"user-agent", "u"}, {"accept-encoding", "e"}}, ""},
                            {{Scheme::http, "::1", 8080}, {}})
            .value() ==
        "GET / HTTP/1.1\r\n"
        "Host: [::1]:8080\r\n"
        "user-agent: u\r\n"
        "accept-encoding: e\r\n"
        "\r\n");
}

TEST_CASE("an empty body's length is told where a server would ask for it", "[runtime]") {
  for (const char* method : {"POST", "PUT", "PATCH"})
    CHECK(encode_request_head({method, "/", {}, ""}, kDirect)
              .value()
              .contains("Content-Length: 0\r\n"));
  for (const char* method : {"GET", "HEAD", "DELETE"})
    CHECK_FALSE(
        encode_request_head({method, "/", {}, ""}, kDirect).value().contains("Content-Length"));
}

TEST_CASE("only plain http gives its proxy the absolute form and the password", "[runtime]") {
  const std::string plain =
      encode_request_head({"GET", "/a", {}, ""}, through_proxy(Scheme::http)).value();
  CHECK(plain.starts_with("GET http://api.example.com/a HTTP/1.1\r\nHost: api.example.com\r\n"));
  CHECK(plain.contains("Proxy-Authorization: Basic c2VjcmV0\r\n"));
  const std::string secure =
      encode_request_head({"GET", "/a", {}, ""}, through_proxy(Scheme::https)).value();
  CHECK(secure.starts_with("GET /a HTTP/1.1\r\n"));
  CHECK_FALSE(secure.contains("Proxy-Authorization"));
}

TEST_CASE("a tunnel is asked for by host and port", "[runtime]") {
  CHECK(encode_connect_head(through_proxy(Scheme::https)) ==
        "CONNECT api.example.com:443 HTTP/1.1\r\n"
        "Host: api.example.com:443\r\n"
        "User-Agent: fathom\r\n"
        "Proxy-Authorization: Basic c2VjcmV0\r\n"
        "\r\n");
}

TEST_CASE("no method, target, name or value can end its line", "[runtime]") {
  CHECK(refusal({"GET /x", "/", {}, ""}) == "the request method 'GET /x' is not a token");
  CHECK(refusal({"", "/", {}, ""}) == "the request method '' is not a token");
  CHECK(refusal({"CONNECT", "/", {}, ""}) ==
        "CONNECT is not a request to an origin: set HTTPS_PROXY instead");
  for (const char* target : {"", "x", "/a b", "/a\r\nX: 1", "/\x7f", "/\xC3\xA4", "http://h/"})
    CHECK(refusal({"GET", target, {}, ""}).starts_with("the request target must begin with '/'"));
  CHECK(refusal({"GET", std::string("/\0", 2), {}, ""}).starts_with("the request target"));
  for (const char* name : {"", "a b", "a:", "a\r\nb", "\xC3\xA4"})
    CHECK(refusal({"GET", "/", {{name, "v"}}, ""}).ends_with("is not a token"));
  for (const std::string value : {"a\r\nX: 1", "a\nX: 1", "a\rb", "\x01"})
    CHECK(refusal({"GET", "/", {{"X-Key", value}}, ""}) ==
          "the value of header 'X-Key' holds a control character");
  CHECK(refusal({"GET", "/", {{"X-Key", std::string("a\0b", 3)}}, ""}) ==
        "the value of header 'X-Key' holds a control character");
  CHECK(refusal({"GET", "/", {{"X-Key", "tab\tand \xC3\xA4 are fine"}}, ""}) == "accepted");
}

TEST_CASE("the fields that frame or route a message are the client's own", "[runtime]") {
  for (const char* name : {"Host", "content-length", "Transfer-Encoding", "CONNECTION", "Expect",
                           "Upgrade", "TE", "Trailer", "Keep-Alive", "Proxy-Authorization"})
    CHECK(refusal({"GET", "/", {{name, "x"}}, ""}) ==
          "the header '" + std::string(name) + "' is set by the client itself: leave it out");
}

TEST_CASE("a request head has a bound", "[runtime]") {
  CHECK(refusal({"GET", "/", {{"X", std::string(kRequestHeadBytesMax, 'a')}}, ""}) ==
        "the request head is larger than 64.0 KiB");
}

TEST_CASE("a request may be sent twice by its method or its Idempotency-Key", "[runtime]") {
  CHECK(is_idempotent({"GET", "/", {}, ""}));
  CHECK(is_idempotent({"PUT", "/", {}, "x"}));
  CHECK_FALSE(is_idempotent({"POST", "/", {}, "x"}));
  CHECK_FALSE(is_idempotent({"get", "/", {}, ""}));
  CHECK(is_idempotent({"POST", "/", {{"idempotency-key", "k"}}, "x"}));
}
