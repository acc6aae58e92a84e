// The head of a response as bytes.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/net/http_message.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::net {

/// How the end of a response's body is told.
enum class Framing : std::uint8_t {
  none,         ///< there is no body, and the status says so (204, 304)
  length,       ///< Content-Length
  chunked,      ///< Transfer-Encoding: chunked
  until_close,  ///< the end of the connection: streams to HTTP/1.0 clients
};

enum class Persistence : std::uint8_t { keep_alive, close };

struct HeadFacts {
  Framing framing = Framing::length;
  std::size_t body_bytes = 0;  ///< for Framing::length
  Persistence persistence = Persistence::keep_alive;
  bool http_1_0 = false;  ///< what the request spoke: keep-alive must then be said aloud
  std::string_view date;
};

/// Status line and fields up to the empty line. Date, Connection, Content-Length and
/// Transfer-Encoding are ours: such fields of the response are left out. Line ends inside values
/// become spaces, so that a value that came from outside cannot begin a field of its own.
[[nodiscard]] std::string response_head(const HttpResponse& response, const HeadFacts& facts);

/// True when a response of this status never has a body (RFC 9110 §6.4.1).
[[nodiscard]] bool is_bodiless(unsigned status);

/// The Date field's text (RFC 9110 §5.6.7), made anew only when the second changes.
class HttpDate {
 public:
  std::string_view at(WallTime now);

 private:
  std::chrono::sys_seconds second_{std::chrono::seconds::min()};
  std::string text_;
};

}  // namespace fathom::net
