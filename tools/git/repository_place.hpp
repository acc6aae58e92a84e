// Where the parts of a repository lie, read without libgit2 and without believing anything: a
// repository comes from outside, and what it points to may be anywhere.
#pragma once

#include "runtime/base/result.hpp"

#include <string>
#include <vector>

namespace fathom::tools {

struct RepositoryPlace {
  std::string folder;      ///< the work tree, absolute
  std::string git_dir;     ///< HEAD and index
  std::string common_dir;  ///< config, objects and branches; the same but in a linked worktree
  /// Whether `.git` is a file: a worktree or a submodule.
  bool linked = false;
};

/// Of the folder itself, absolute and without links; nothing is looked for above it. `not_found`
/// when it is no repository, `bad_data` for a `.git` that git would not follow either,
/// `unsupported` for a bare one or a `.git` that is a link.
Result<RepositoryPlace> find_repository(const std::string& folder);

/// `.git/info/exclude`, "" when there is none.
std::string read_excludes(const RepositoryPlace& place);

/// The files in the index, sorted; none when it cannot be read.
std::vector<std::string> tracked_files(const RepositoryPlace& place);

}  // namespace fathom::tools
