// Where git looks besides the folder it stands in: git directories outside the workspace, and files
// in the work tree that a config names.
#pragma once

#include "sandbox/tree_snapshot.hpp"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace fathom::sandbox {

struct GitLinks {
  std::vector<std::string> outside;  ///< git directories that belong to the workspace, absolute
  std::vector<std::string> notes;    ///< `.git` files that were not followed, and why
};

/// The git directory that the work tree `folder` may use when its `.git` file names `target` (all
/// without links): the common one of a linked worktree, a submodule's own. Only one that points
/// back, as git makes it for linked worktrees and submodules: a `.git` file that came with a
/// download must not open another repository of the user.
std::optional<std::string> git_root_for(const std::string& target, const std::string& folder);

/// The git directories that `.git` files of the snapshot's workspace name outside of it and that
/// git_root_for() lets them use.
GitLinks find_git_links(const Snapshot& snapshot);

/// Things in the workspace that a config of the snapshot makes git run or read (core.hooksPath,
/// include.path, core.attributesFile), by absolute path, with the rule.
std::unordered_map<std::string, std::string> find_configured_paths(const Snapshot& snapshot,
                                                                   std::vector<std::string>& notes);

}  // namespace fathom::sandbox
