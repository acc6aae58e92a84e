// The bytes of a request before its body: a pure function, and the one place that keeps a value
// from becoming a line.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/net/http_message.hpp"
#include "runtime/net/proxy.hpp"

#include <cstddef>
#include <string>

namespace fathom::net {

constexpr std::size_t kRequestHeadBytesMax = 64 * 1024;

/// The request line and the header fields, in HTTP/1.1. Adds Host, Content-Length, User-Agent,
/// Accept-Encoding (both unless given) and, on a plain http route through a proxy, the absolute
/// form and the proxy's authorization. Refuses what would let a value end its line (CR, LF, NUL)
/// and the fields this client must set itself. Errors name the field and never its value.
Result<std::string> encode_request_head(const HttpRequest& request, const Route& route);

/// The CONNECT request that asks a proxy for a tunnel to `route.origin`.
std::string encode_connect_head(const Route& route);

/// True when sending the request twice does no harm: by its method, or because it carries an
/// Idempotency-Key.
[[nodiscard]] bool is_idempotent(const HttpRequest& request);

}  // namespace fathom::net
