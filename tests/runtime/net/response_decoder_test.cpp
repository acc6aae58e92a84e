#include "runtime/net/response_decoder.hpp"

#include "runtime/base/text.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <vector>

using namespace fathom;
using namespace fathom::net;

namespace {

constexpr std::uint64_t kBodyBytesMax = 1024 * 1024;

// What one connection's bytes decode to.
struct Decoded {
  unsigned status = 0;
  Headers headers;
  std::string body;
  bool done = false;
  bool reusable = false;
  Error error;

  friend bool operator==(const Decoded&, const Decoded&) = default;
};

enum class Then { open, closed };

Decoded decode(std::string_view bytes, std::size_t piece, Then then,
               BodyRule rule = BodyRule::by_headers) {
  ResponseDecoder decoder(rule, kBodyBytesMax);
  Decoded decoded;
  Result<> ok;
  bool head_taken = false;
  for (; ok && !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    ok = decoder.feed(bytes.substr(0, piece));
    if (ok && decoder.has_head() && !std::exchange(head_taken, true)) {
      ResponseHead head = decoder.take_head();
      decoded.status = head.status;
      decoded.headers = std::move(head.headers);
    }
    decoded.body += decoder.take_body();
  }
  if (ok && then == Then::closed) ok = decoder.end_of_input();
  if (!ok) decoded.error = ok.error();
  decoded.done = ok && decoder.is_done();
  decoded.reusable = ok && decoder.is_reusable();
  return decoded;
}

// Decodes in pieces of every size, and returns the answer to the whole. Pieces must give the same
// answer, with one freedom: of a response that is refused, pieces may not have shown enough yet.
Decoded decode_all_ways(std::string_view bytes, Then then, BodyRule rule = BodyRule::by_headers) {
  const Decoded whole = decode(bytes, bytes.size(), then, rule);
  const bool refused = !whole.error.message.empty();
  for (std::size_t piece = 1; piece < std::min<std::size_t>(bytes.size(), 64); ++piece) {
    const Decoded pieces = decode(bytes, piece, then, rule);
    const bool undecided = pieces.error.message.empty() && !pieces.done;
    const bool agree =
        refused ? pieces.error.code == whole.error.code || undecided : pieces == whole;
    if (!agree) FAIL("pieces of " << piece << ": " << pieces.error.message);
  }
  return whole;
}

Error error_of(std::string_view bytes, Then then = Then::open) {
  return decode_all_ways(bytes, then).error;
}

}  // namespace

TEST_CASE("a response's empty body in chunks may come in any pieces", "[runtime]") {
  const Decoded decoded =
      decode_all_ways("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Then::open);
  CHECK(decoded.done);
  CHECK(decoded.reusable);
  CHECK(decoded.body.empty());
}

TEST_CASE("a body ends by its length, its last chunk, or the connection's end", "[runtime]") {
  CHECK(
      decode_all_ways("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", Then::open) ==
      Decoded{200, {{"Content-Length", "5"}, {"X-A", "b"}}, "hello", true, true, {}});
  CHECK(decode_all_ways("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n",
                        Then::open) ==
        Decoded{200, {{"Transfer-Encoding", "chunked"}}, "abc0123456789", true, true, {}});
  CHECK(decode_all_ways("HTTP/1.1 200 OK\r\n\r\nuntil the end", Then::closed) ==
        Decoded{200, {}, "until the end", true, false, {}});
  CHECK_FALSE(decode_all_ways("HTTP/1.1 200 OK\r\n\r\nuntil the end", Then::open).done);
}

TEST_CASE("a connection is used again only when both sides mean it", "[runtime]") {
  const auto reusable = [](const char* bytes) {
    return decode_all_ways(bytes, Then::open).reusable;
  };
  CHECK(reusable("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK_FALSE(reusable("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  CHECK_FALSE(reusable("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK(reusable("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"));
  // Bytes after the response would be taken for the next one.
  CHECK_FALSE(reusable("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

TEST_CASE("the answer to HEAD, 204 and 304 have no body whatever their headers say", "[runtime]") {
  const Decoded head =
      decode_all_ways("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", Then::open, BodyRule::none);
  CHECK((head.done && head.reusable && head.body.empty()));
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    const Decoded none = decode_all_ways(
        "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 500\r\n\r\n", Then::open);
    CHECK((none.done && none.reusable && none.body.empty()));
  }
}

TEST_CASE("interim responses are skipped, but not without end", "[runtime]") {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  const std::string final_response = "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx";
  CHECK(decode_all_ways("HTTP/1.1 100 Continue\r\n\r\n" + hints + final_response, Then::open) ==
        Decoded{201, {{"Content-Length", "1"}}, "x", true, true, {}});
  std::string many;
  for (int i = 0; i <= kInterimResponsesMax; ++i) many += hints;
  CHECK(error_of(many + final_response) ==
        Error{ErrorCode::protocol, "the server sent more than 16 interim (1xx) responses"});
  CHECK(error_of("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n") ==
        Error{ErrorCode::protocol, "the server switched protocols without being asked"});
}

TEST_CASE("what is not HTTP is quoted, so that a person sees what answered", "[runtime]") {
  CHECK(error_of("SSH-2.0-OpenSSH_9.2\r\n") ==
        Error{ErrorCode::protocol,
              "the answer is not an HTTP/1.1 response: it begins with "
              "'SSH-2.0-OpenSSH_9.2\\x0d\\x0a'"});
  CHECK(error_of("HTTP/2.0 200 OK\r\n\r\n").code == ErrorCode::protocol);
  CHECK(error_of("HTTP/1.1 2x0 OK\r\n\r\n").code == ErrorCode::protocol);
  CHECK(error_of("HTTP/1.1 099 Low\r\n\r\n").code == ErrorCode::protocol);
}

TEST_CASE("a response whose length can be read in two ways is refused", "[runtime]") {
  for (const char* headers :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip\r\nContent-Length: 5", "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5, 6", "Content-Length: -1",
        "Content-Length: 0x5", "Content-Length: 18446744073709551616", "Content-Length:"}) {
    INFO(headers);
    const std::string bytes = "HTTP/1.1 200 OK\r\n" + std::string(headers) + "\r\n\r\nhello";
    CHECK(error_of(bytes).code == ErrorCode::protocol);
  }
}

TEST_CASE("malformed header lines and chunks are refused", "[runtime]") {
  for (const char* rest : {"A : b\r\n\r\n", "A b\r\n\r\n", "A: b\n\n", ": b\r\n\r\n",
                           "A: b\rc\r\n\r\n", "A: \x01\r\n\r\n"}) {
    INFO(to_printable(rest));
    CHECK(error_of("HTTP/1.1 200 OK\r\n" + std::string(rest)).code == ErrorCode::protocol);
  }
  for (const char* chunks : {"x\r\n", "\r\n", "-1\r\n", "3\r\nabcd\r\n0\r\n", "3 \r\nabc\r\n",
                             "fffffffffffffffff\r\n", "3;\x01\r\nabc\r\n"}) {
    INFO(to_printable(chunks));
    const Error error =
        error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks));
    CHECK((error.code == ErrorCode::protocol || error.code == ErrorCode::too_large));
  }
}

TEST_CASE("a response cut short says where", "[runtime]") {
  CHECK(ResponseDecoder(BodyRule::by_headers, 1).end_of_input().error() ==
        Error{ErrorCode::network, "the peer closed the connection without a response"});
  CHECK(error_of("HTTP/1.1 200 OK\r\nA:", Then::closed) ==
        Error{ErrorCode::network,
              "the peer closed the connection in the middle of the response head"});
  CHECK(error_of("HTTP/1.1 100 Continue\r\n\r\n", Then::closed).message ==
        "the peer closed the connection in the middle of the response head");
  CHECK(error_of("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", Then::closed) ==
        Error{ErrorCode::network,
              "the peer closed the connection in the middle of the body, after 5 B"});
  CHECK(
      error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", Then::closed)
          .code == ErrorCode::network);
  CHECK(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", Then::closed).code ==
        ErrorCode::network);
}

TEST_CASE("a head that never ends is stopped, also one sent line by line", "[runtime]") {
  const Error too_large{ErrorCode::too_large,
                        "the response head is larger than 64.0 KiB or 256 fields"};
  const auto endless = [](std::string_view unit) {
    ResponseDecoder decoder(BodyRule::by_headers, kBodyBytesMax);
    Result<> ok = decoder.feed("HTTP/1.1 200 OK\r\n");
    std::size_t sent = 0;
    while (ok && sent < 4 * kResponseHeadBytesMax) {
      ok = decoder.feed(unit);
      sent += unit.size();
    }
    return ok;
  };
  CHECK(endless("A: b\r\n").error() == too_large);
  CHECK(endless("A: " + std::string(1000, 'x') + "\r\n").error() == too_large);
  CHECK(endless("x").error() == too_large);
  CHECK(endless("A: " + std::string(2 * kResponseHeadBytesMax, 'x')).error() == too_large);
}

TEST_CASE("trailers and chunk extensions have bounds", "[runtime]") {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto code = [&](const std::string& rest) {
    return decode(head + rest, 4096, Then::open).error.code;
  };
  CHECK(code("1;" + std::string(2 * kChunkExtensionBytesMax, 'x') + "\r\na\r\n") ==
        ErrorCode::protocol);
  CHECK(code("1;" + std::string(2 * kResponseHeadBytesMax, 'x')) == ErrorCode::too_large);
  std::string trailers = "0\r\n";
  for (std::size_t i = 0; i <= kResponseFieldsMax; ++i) trailers += "A: b\r\n";
  CHECK(code(trailers + "\r\n") == ErrorCode::too_large);
}

TEST_CASE("a body larger than its bound fails, before it is read where its length is known",
          "[runtime]") {
  const Error too_large{ErrorCode::too_large, "the response body is larger than 1.0 MiB"};
  CHECK(error_of("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n") == too_large);
  CHECK(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n") == too_large);
  const std::string megabyte(kBodyBytesMax, 'x');
  CHECK(decode("HTTP/1.1 200 OK\r\n\r\n" + megabyte, 65536, Then::closed).done);
  CHECK(decode("HTTP/1.1 200 OK\r\n\r\n" + megabyte + "x", 65536, Then::closed).error == too_large);
}
