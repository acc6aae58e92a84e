// Questions about the workspace's side of a transaction: did the host change this, are these the
// same bytes.
#pragma once

#include "sandbox/directory.hpp"

#include <cstdint>
#include <string>

namespace fathom::sandbox {

inline constexpr std::size_t kRemovedNamesMax = 4'000'000;  ///< looked at below one folder

/// Whether the times of the entry itself say something: a rename moves them.
enum class Top : std::uint8_t { counts, is_left_out };

/// Whether anything at or below the entry changed after `since_ns`, by ctime. `not_found` when it
/// is gone, `too_large` beyond the bound.
Result<bool> is_newer_below(int folder, const std::string& name, std::int64_t since_ns, Top top);

/// Whether two regular files hold the same bytes.
Result<bool> has_same_bytes(int first, int second);

}  // namespace fathom::sandbox
