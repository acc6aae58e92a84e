// Questions about the workspace's side of a transaction: did the host change this, are these the
// same bytes.
#pragma once

#include "sandbox/directory.hpp"

#include <cstdint>
#include <string>

namespace fathom::sandbox {

inline constexpr std::size_t kRemovedNamesMax = 4'000'000;  ///< looked at below one folder

/// Which times tell that somebody changed something.
enum class Times : std::uint8_t {
  changed,        ///< ctime, which cannot be set
  changed_below,  ///< ctime, but not of the entry itself: a rename moves it
  modified,       ///< mtime: where ctime moves for another reason, such as a further name that goes
};

struct Below {
  bool newer = false;   ///< something changed after the moment asked about
  bool shared = false;  ///< a file in it has further names; not looked for once `newer` is known
};

/// Looks at the entry and all below. `not_found` when it is gone, `too_large` beyond the bound.
Result<Below> look_below(int folder, const std::string& name, std::int64_t since_ns, Times times);

/// Whether a name is one of several of its file.
bool has_more_names(int folder, const std::string& name);

/// Whether two regular files hold the same bytes.
Result<bool> has_same_bytes(int first, int second);

}  // namespace fathom::sandbox
