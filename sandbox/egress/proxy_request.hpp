// ProxyRequest: what a program says to the session's proxy, HTTP (RFC 9110, CONNECT and
// absolute-form) and SOCKS5 (RFC 1928) on one port. A machine without I/O: bytes go in, steps come
// out. It reads one request a connection and no spelling but the standard one.
#pragma once

#include "runtime/base/result.hpp"
#include "sandbox/egress/destination.hpp"
#include "sandbox/egress/egress_record.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace fathom::sandbox {

constexpr std::size_t kProxyHeadBytesMax = 16UL * 1024;
constexpr std::size_t kProxyFieldsMax = 128;

/// Why a proxy says no; each protocol has a code for it.
enum class ProxyRefusal : std::uint8_t {
  malformed,
  too_large,
  unsupported,
  forbidden,
  unreachable,
  timed_out,
};

namespace proxy_step {

struct Read {};  ///< feed more bytes

/// Send `bytes`, then feed("") for the next step.
struct Reply {
  std::string bytes;
};

/// Decide and dial; then answer with accepted() or refused(), and carry bytes. `up` goes to the
/// destination first: the rewritten request of `http`, and what came behind the request.
struct Connect {
  Destination to;
  Via via = Via::connect;
  std::string up;
};

/// Send `bytes` and close.
struct Refuse {
  std::string bytes;
  std::string why;
};

}  // namespace proxy_step

using ProxyStep =
    std::variant<proxy_step::Read, proxy_step::Reply, proxy_step::Connect, proxy_step::Refuse>;

class ProxyRequest {
 public:
  /// Takes what arrived. Not to be called again after Connect or Refuse.
  ProxyStep feed(std::string_view bytes);

  /// What the program is told once its destination is connected; empty for a plain HTTP request.
  static std::string accepted(Via via);
  /// What it is told instead. `reason` is shown by most programs as they fail.
  static std::string refused(Via via, ProxyRefusal refusal, std::string_view reason);

 private:
  enum class State : std::uint8_t { start, http, socks_greeting, socks_request, done };

  ProxyStep step();
  ProxyStep read_http();
  ProxyStep read_http_head(std::string_view head);
  ProxyStep read_socks_greeting();
  ProxyStep read_socks_request();
  ProxyStep refuse(Via via, ProxyRefusal refusal, std::string_view reason);

  State state_ = State::start;
  std::string bytes_;
  std::size_t scanned_ = 0;  ///< of bytes_: so far no end of the head, and no stray control byte
};

}  // namespace fathom::sandbox
