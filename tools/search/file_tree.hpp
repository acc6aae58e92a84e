// FileTree: a list of files as a directory tree of bounded depth and size. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

struct FileTree {
  std::string text;  ///< one entry a line; folders end in '/', those not opened say how many files
  std::size_t files = 0;
  bool cut = false;  ///< entries were left out
};

/// `printed` are paths that end in NUL, below `base` ("" or ending in '/'). Folders first opened to
/// `depth`, at most `entries` lines; the order is that of bytes.
FileTree file_tree(std::string_view printed, std::string_view base, std::size_t depth,
                   std::size_t entries);

}  // namespace fathom::tools
