// A repository opened for the git tool, after a look at all that its files point to.
//
// A repository is data of strangers. libgit2 never runs hooks, filter or diff drivers, credential
// helpers, fsmonitor, pagers or gpg, whatever a config says. What it would do is read and write
// where the repository points: so everything that leads out of the workspace is named first (for
// the policy to decide about), a worktree or submodule must be known to the repository it belongs
// to, and a git directory that has links in it or a config that includes others is not used at all.
//
// A process that runs at the same moment (a background job) can swap a checked file for a link. The
// thread that libgit2 works on is fenced (write_fence.hpp), so nothing outside the workspace and
// its git directories is written, whatever is swapped. TODO(security): left to such a job are reads
// (a link to another repository's refs or objects shows those to a reading command, which the fence
// cannot forbid as libgit2 reads the user's own config and ignore files), writes to protected names
// inside the workspace (a link from a reflog to a hook: git's text, never executable), alternates
// changed after the policy was asked, and all of it where the kernel has no Landlock.
#pragma once

#include "runtime/base/unique_fd.hpp"
#include "tools/git/handles.hpp"
#include "tools/git/repository_place.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kGitDirEntriesMax = 200'000;  // looked at for links, in one call

/// Where a repository leads, with links resolved.
struct RepositoryReach {
  RepositoryPlace place;
  std::vector<std::string> reads;  ///< alternates and theirs, in the workspace too
  std::vector<std::string> own;    ///< git directories outside that commands may use as well, as
                                   ///< they point back to this folder (sandbox/git_links.hpp)
  std::vector<std::string> uses;   ///< others outside: read, and written by a writing command
};

/// `folder` is the repository's, relative to the workspace, plain; `workspace` absolute without
/// links. `permission` for a `.git` that leads to a repository which knows nothing of it.
Result<RepositoryReach> inspect_repository(const std::string& workspace, std::string_view folder);

struct Repository {
  RepositoryPlace place;
  Handle<git_repository> handle;
  UniqueFd root;       ///< the work tree
  std::string prefix;  ///< of its paths as the workspace sees them: "sub/" or ""

  [[nodiscard]] git_repository* get() const { return handle.get(); }
};

Result<Repository> open_repository(const std::string& workspace, std::string_view folder);

}  // namespace fathom::tools
