// What `view` shows of a folder: names two levels deep, sorted, bounded. Folders that hold what
// nobody reads by name (.git, node_modules, caches) are counted instead.
#pragma once

#include "tools/edit/workspace_files.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kFolderLinesMax = 500;           // of one answer
inline constexpr std::size_t kFolderEntriesShownMax = 100;    // of a folder on the second level
inline constexpr std::size_t kFolderEntriesReadMax = 10'000;  // of any folder

struct FolderView {
  std::string text;  ///< a name a line, folders with "/", links with "@"
  std::size_t entries = 0;
  bool cut = false;
};

/// Blocks on files.
Result<FolderView> view_folder(const WorkspaceFiles& files, const ResolvedPath& place);

/// Paths of the regular files below `place`, as the workspace names them: of a folder its files, by
/// name, before those of its folders. Without what a view does not show. Blocks on files.
std::vector<std::string> files_below(const WorkspaceFiles& files, const ResolvedPath& place,
                                     std::size_t count_max);

}  // namespace fathom::tools
