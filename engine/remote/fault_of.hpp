// Faults: what went wrong with a request, classed by what helps, in one line that names the
// smallest fix. Pure; the session puts the engine's name in front.
#pragma once

#include "engine/remote/endpoint.hpp"
#include "engine/session/engine.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/result.hpp"
#include "runtime/net/http_message.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace fathom::engine {

/// Of an error's body more is not read.
inline constexpr std::size_t kErrorBodyBytesMax = 64u << 10;
/// A server that asks for more patience is heard as asking for this.
inline constexpr Duration kRetryAfterMax = std::chrono::hours(24);

/// An answer with a status other than 200, or of a kind that is no answer of a model.
struct BadAnswer {
  unsigned status = 0;
  net::Headers headers;
  std::string body;
};

[[nodiscard]] Fault fault_of(const BadAnswer& answer, const Endpoint& endpoint, WallTime now);
/// No answer came, or it broke off.
[[nodiscard]] Fault fault_of(const Error& error, const net::Origin& origin);
/// An error object inside an answer, `json` as a whole.
[[nodiscard]] Fault fault_in_answer(std::string_view json);

/// Whether the server does not know the model, or wants one named: then a list of them helps.
[[nodiscard]] bool is_about_model(const BadAnswer& answer);
/// The fault's message with what `listing`, the body of GET /models, says; unchanged when that
/// cannot be read.
[[nodiscard]] std::string with_models(std::string message, std::string_view listing,
                                      std::string_view model);

/// retry-after-ms, or Retry-After in seconds or as a date.
[[nodiscard]] std::optional<Duration> retry_after(const net::Headers& headers, WallTime now);

}  // namespace fathom::engine
