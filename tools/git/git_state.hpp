// GitState: what a snapshot remembers of the workspace's `.git`, which it does not hold: enough to
// say later that a run changed or destroyed it, and where HEAD was.
//
// Why it is not held: objects are as large as the history, and a copy by hard links would share its
// files with commands that may write them. Why commands may remove it at all: git itself makes,
// renames and removes files all over `.git` with the calls that rm uses, so no fence below the name
// of a program tells them apart, and a program may be called anything. What git never writes
// (hooks, config) is fenced (sandbox/protected_tree.hpp); for the rest there is the truth
// afterwards.
//
// Not noticed: the index (every `git status` rewrites it), remote-tracking branches, objects
// removed one by one, and the `.git` of nested repositories and submodules.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kRefsMax = 5'000;  ///< loose branches and tags that are read

enum class GitPresence : std::uint8_t {
  unknown,  ///< the snapshot is older than this record, or `.git` could not be read
  none,     ///< no `.git`
  broken,   ///< one that git would not take for a repository: HEAD, refs or objects are gone
  whole,
};

struct GitState {
  GitPresence presence = GitPresence::unknown;
  std::string head;    ///< what HEAD says: "refs/heads/main", or a commit when it is detached
  std::string commit;  ///< that it leads to; "" before the first one, or when it is not known
  std::string refs;    ///< a hash of branches, tags and the stash; "" when they were too many

  friend bool operator==(const GitState&, const GitState&) = default;
};

/// Of the repository whose work tree is `folder` (absolute, without links); reads no objects and
/// believes nothing. Some ten system calls, and two for each loose branch and tag.
GitState look_at_git(const std::string& folder);

/// What became of `.git` that a restore of files does not take back, a line each for people; none
/// when it is as before, or when one of the states is not known.
std::vector<std::string> git_changes(const GitState& before, const GitState& now);

/// For the record: "whole", "broken", "none", "unknown".
std::string_view name_of(GitPresence presence);
GitPresence git_presence_from(std::string_view name);

}  // namespace fathom::tools
