// What is put right in a call that a remote server passes on malformed: a short ladder, each rung
// of which leaves the meaning alone. What it cannot mend stays as it is, and the model is told so
// when the call is refused.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::engine {

/// Longer arguments are not looked at.
inline constexpr std::size_t kRepairBytesMax = 1u << 20;
/// More missing brackets than these mean that the text is something else.
inline constexpr std::size_t kMissingBracketsMax = 4;

struct RepairedArguments {
  std::string arguments;  ///< a JSON object
  std::string what;       ///< what was done, such as "removed a trailing comma"
};

/// Mends `arguments`, which are not a JSON object; nothing when it cannot.
[[nodiscard]] std::optional<RepairedArguments> repair_arguments(std::string_view arguments);

}  // namespace fathom::engine
