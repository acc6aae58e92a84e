// Where a path leads in a tree that is open as a folder. The tree need not be what the same path
// names for this process: an overlay of a session is not.
#pragma once

#include "runtime/base/result.hpp"

#include <string>
#include <string_view>

namespace fathom::tools {

inline constexpr int kLinksFollowedMax = 40;  // as many as the kernel

struct Followed {
  std::string path;       ///< absolute; normal when it is inside
  bool inside = true;     ///< else dots or a link led out, and `path` was followed up to there
  bool dangling = false;  ///< a link leads to what is not there
};

/// Follows `path`, absolute or relative to the tree, by name, as far as it exists. `root` is the
/// path that the tree has in links and answers, absolute and normal.
Result<Followed> follow_links(int folder, const std::string& root, std::string_view path);

}  // namespace fathom::tools
