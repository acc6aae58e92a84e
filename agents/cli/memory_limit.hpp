// How much memory this process may use, where that is less than the machine has.
#pragma once

#include <cstdint>
#include <optional>

namespace fathom::agents {

/// Bytes that the control group allows, of version 2 or 1; none without a limit.
std::optional<std::uint64_t> memory_limit();

}  // namespace fathom::agents
