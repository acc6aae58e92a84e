// Refusal: why a request is answered by the server itself and not by a handler.
#pragma once

#include "runtime/net/http_message.hpp"

#include <string>
#include <string_view>

namespace fathom::net {

struct Refusal {
  unsigned status = 0;
  std::string code;     ///< snake_case, for programs
  std::string message;  ///< one line for a person
  Headers headers;      ///< beyond Content-Type

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// The answer: `{"error":{"code":…,"message":…}}`.
[[nodiscard]] HttpResponse to_response(const Refusal& refusal);

}  // namespace fathom::net
