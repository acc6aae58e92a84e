#include "runtime/net/request_parser.hpp"

#include "tests/support/catch.hpp"

#include <string>

using namespace fathom::net;
using State = RequestParser::State;

namespace {

constexpr std::size_t kHeaderBytesMax = 512;
constexpr std::size_t kBodyBytesMax = 100;

/// Feeds `bytes` in pieces of `piece` until the parser is done with a request; returns what it
/// left.
std::string feed(RequestParser& parser, std::string_view bytes, std::size_t piece) {
  std::string held;
  while (!bytes.empty() && (parser.state() == State::head || parser.state() == State::body)) {
    held += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    std::size_t taken = 0;
    do {
      taken = parser.put(held);
      held.erase(0, taken);
    } while (taken != 0 && !held.empty() && parser.state() == State::body);
  }
  return held + std::string(bytes);
}

Refusal refusal_for(std::string_view bytes) {
  RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
  feed(parser, bytes, bytes.size());
  if (parser.state() != State::refused) return {};
  return parser.refusal();
}

}  // namespace

TEST_CASE("a request is the same however its bytes were cut", "[runtime]") {
  const std::string plain =
      "POST /a?b=c HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunked =
      "POST /a?b=c HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-A: 2\r\nAuthorization: Bearer t\r\n\r\n";
  for (const std::string& bytes : {plain, chunked}) {
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
      INFO("pieces of " << piece);
      RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
      CHECK(feed(parser, bytes + "GET ", piece).starts_with(piece == bytes.size() ? "GET " : ""));
      REQUIRE(parser.state() == State::complete);
      const HttpRequest request = parser.take();
      CHECK(request.method == "POST");
      CHECK(request.target == "/a?b=c");
      CHECK(request.body == "hello");
      CHECK(request.headers.get("X-A") == "1");
      CHECK(request.headers.find("Authorization") == nullptr);  // a trailer is not a header
      CHECK(request.headers.fields().size() == 3);
    }
  }
}

TEST_CASE("a request's empty body in chunks may come in any pieces", "[runtime]") {
  const std::string bytes =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    INFO("pieces of " << piece);
    RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
    CHECK(feed(parser, bytes, piece).empty());
    REQUIRE(parser.state() == State::complete);
    CHECK(parser.take().body.empty());
  }
}

TEST_CASE("the parser stops between header and body", "[runtime]") {
  RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
  const std::string head =
      "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
  CHECK(parser.put(head + "ab") == head.size());
  CHECK(parser.state() == State::body);
  CHECK(parser.expects_continue());
  CHECK(parser.request().body.empty());
  CHECK(parser.put("ab") == 2);
  CHECK(parser.state() == State::complete);
  parser.reset();
  CHECK(parser.state() == State::head);
}

TEST_CASE("what the client wants with the connection depends on the version", "[runtime]") {
  struct Row {
    const char* version;
    const char* connection;
    bool keep_alive;
  };
  const Row rows[] = {{"1.1", "", true},
                      {"1.1", "Connection: close\r\n", false},
                      {"1.0", "", false},
                      {"1.0", "Connection: keep-alive\r\n", true},
                      {"1.1", "Connection: x, close\r\n", false}};
  for (const Row& row : rows) {
    RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
    parser.put(std::string("GET / HTTP/") + row.version + "\r\nHost: h\r\n" + row.connection +
               "\r\n");
    REQUIRE(parser.state() == State::complete);
    CHECK(parser.keep_alive() == row.keep_alive);
    CHECK(parser.http_1_0() == (std::string_view(row.version) == "1.0"));
  }
}

TEST_CASE("an absolute target names the host and leaves the path", "[runtime]") {
  struct Row {
    const char* target;
    const char* host;
    const char* path;
  };
  const Row rows[] = {{"http://evil.example:80/a?b", "evil.example:80", "/a?b"},
                      {"HTTP://h", "h", "/"},
                      {"http://h?q=/", "h", "/?q=/"}};
  for (const Row& row : rows) {
    RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
    parser.put(std::string("GET ") + row.target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    REQUIRE(parser.state() == State::complete);
    CHECK(parser.request().target == row.path);
    CHECK(parser.request().headers.get("Host") == row.host);
  }
}

TEST_CASE("a request that cannot be served is refused with the status that fits", "[runtime]") {
  const std::string host = "Host: h\r\n";
  const std::string post = "POST / HTTP/1.1\r\n" + host;
  struct Row {
    std::string bytes;
    unsigned status;
    const char* code;
  };
  const Row rows[] = {
      {"nonsense\r\n\r\n", 400, "bad_request"},
      {"GET / HT\r\n\r\n", 400, "bad_request"},
      {"GET / HTTP/2.0\r\n" + host + "\r\n", 400, "bad_request"},
      {"GET / HTTP/1.1\r\n\r\n", 400, "bad_request"},
      {"GET / HTTP/1.1\r\n" + host + host + "\r\n", 400, "bad_request"},
      {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400, "bad_request"},
      {"GET / HTTP/1.1\n" + host + "\n", 400, "bad_request"},
      {"GET x HTTP/1.1\r\n" + host + "\r\n", 400, "bad_request"},
      {"GET * HTTP/1.1\r\n" + host + "\r\n", 400, "bad_request"},
      {post + "Content-Length: x\r\n\r\n", 400, "bad_request"},
      {post + "Content-Length: -1\r\n\r\n", 400, "bad_request"},
      {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"},
      {post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"},
      {post + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, "bad_request"},
      {post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "bad_request"},
      {post + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400, "bad_request"},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"},
      {post + "Transfer-Encoding: gzip\r\n\r\n", 501, "not_implemented"},
      {post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "not_implemented"},
      {"BREW / HTTP/1.1\r\n" + host + "\r\n", 501, "not_implemented"},
      {"CONNECT h:1 HTTP/1.1\r\n" + host + "\r\n", 501, "not_implemented"},
      {post + "Content-Length: 101\r\n\r\n", 413, "body_too_large"},
      {post + "Content-Length: 18446744073709551615\r\n\r\n", 413, "body_too_large"},
      {post + "Transfer-Encoding: chunked\r\n\r\n65\r\n", 413, "body_too_large"},
      {post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413, "body_too_large"},
      {"GET / HTTP/1.1\r\nX: " + std::string(kHeaderBytesMax, 'x'), 431, "headers_too_large"},
      {"GET /" + std::string(kHeaderBytesMax, 'x'), 431, "headers_too_large"},
  };
  for (const Row& row : rows) {
    INFO(row.bytes);
    const Refusal refusal = refusal_for(row.bytes);
    CHECK(refusal.status == row.status);
    CHECK(refusal.code == row.code);
    CHECK_FALSE(refusal.message.empty());
  }
}

TEST_CASE("a header is bounded as a whole, however its bytes were cut", "[runtime]") {
  const std::string start = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  const std::string largest =
      start + "X: " + std::string(kHeaderBytesMax - start.size() - 7, 'x') + "\r\n\r\n";
  REQUIRE(largest.size() == kHeaderBytesMax);
  std::string in_lines = start;
  for (int i = 0; i < 60; ++i) in_lines += "X: 0123456789ab\r\n";
  std::string padded = start;
  for (int i = 0; i < 10; ++i) padded += "X:" + std::string(60, ' ') + "\r\n";
  struct Row {
    std::string bytes;
    State state;
  };
  const Row rows[] = {{largest, State::complete},
                      {"GET /x" + largest.substr(5), State::refused},
                      {in_lines + "\r\n", State::refused},
                      {padded + "\r\n", State::refused}};
  for (const Row& row : rows) {
    for (std::size_t piece = 1; piece <= row.bytes.size(); ++piece) {
      INFO(row.bytes << " in pieces of " << piece);
      RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
      feed(parser, row.bytes, piece);
      REQUIRE(parser.state() == row.state);
      if (row.state == State::refused) REQUIRE(parser.refusal().status == 431);
    }
  }
}

TEST_CASE("a header sent line by line is bounded in bytes and in fields", "[runtime]") {
  for (const std::size_t header_bytes_max : {kHeaderBytesMax, std::size_t{1} << 20}) {
    RequestParser parser(header_bytes_max, kBodyBytesMax);
    std::string held = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    std::size_t fields = 1;
    // Each read ends a little into the next line.
    for (; parser.state() == State::head && fields < 2 * kRequestFieldsMax; ++fields) {
      held += "X: 1";
      held.erase(0, parser.put(held));
      held += "\r\n";
    }
    REQUIRE(parser.state() == State::refused);
    CHECK(parser.refusal().status == 431);
    CHECK(fields <= kRequestFieldsMax + 2);
  }
}

TEST_CASE("what is malformed is refused for it however its bytes were cut", "[runtime]") {
  for (const std::string bytes :
       {"GET / HTTP/1.1\r\nHost: h\nX: 1\r\n", "\x16\x03\x01", "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n"}) {
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
      INFO(bytes << " in pieces of " << piece);
      RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
      feed(parser, bytes, piece);
      REQUIRE(parser.state() == State::refused);
      REQUIRE(parser.refusal().status == 400);
    }
  }
}

TEST_CASE("bodies in many chunks are bounded by their sum", "[runtime]") {
  std::string bytes = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 10; ++i) bytes += "a\r\n0123456789\r\n";
  RequestParser parser(kHeaderBytesMax, kBodyBytesMax);
  feed(parser, bytes + "0\r\n\r\n", bytes.size());
  CHECK(parser.state() == State::complete);
  CHECK(refusal_for(bytes + "1\r\nx\r\n").status == 413);
}
