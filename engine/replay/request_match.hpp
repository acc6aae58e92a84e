// Whether a request is the one that was recorded.
#pragma once

#include "runtime/base/message.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fathom::engine {

enum class Matching : std::uint8_t {
  strict,
  loose,  ///< only roles, names of calls and how many results there are
};

/// Where `now` is not `recorded`, counting from the message `first`: `message 3 (tool): result 1
/// (call-2): content differs at byte 17: recorded '…', now '…'`. Nothing where they agree. What was
/// cancelled before it said anything may say anything.
[[nodiscard]] std::optional<std::string> find_difference(std::span<const Message> recorded,
                                                         std::span<const Message> now,
                                                         std::size_t first, Matching matching);

}  // namespace fathom::engine
