// The dates of HTTP headers (RFC 9110 section 5.6.7), in the one form that senders may still use.
#pragma once

#include "runtime/async/clock.hpp"

#include <optional>
#include <string_view>

namespace fathom::engine {

/// "Sun, 06 Nov 1994 08:49:37 GMT"; nothing for anything else. The name of the day is not checked.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace fathom::engine
