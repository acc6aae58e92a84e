// What git itself writes inside a git directory, by name. Everything else in there is protected: a
// hook, a config key or an attribute makes the user's next git command, outside any sandbox, run a
// program. A list of such names would always be one release of git behind, so the list is the other
// way round: names that git needs to write are let through, an unknown name is not.
//
// Pure: names and file types in, a verdict out. The scan (tree_scan.hpp) walks real directories and
// asks here; the merge of a transaction asks is_written_by_git() for each path.
#pragma once

#include <cstdint>
#include <string_view>

namespace fathom::sandbox {

enum class FileType : std::uint8_t { regular, directory, symlink, other };

/// What a directory is to git, and so which entries are expected in it.
enum class Zone : std::uint8_t {
  plain,       ///< work tree: ordinary files
  guarded,     ///< everything below is protected
  reported,    ///< everything below is listed as "will run later"
  repository,  ///< a git directory: `.git`, `modules/NAME`; unknown names are protected
  bare,        ///< a folder that git would take for a git directory; unknown names are the user's
  worktree_admin,  ///< `worktrees/NAME`
  worktrees,       ///< holds worktree_admin folders only
  modules,         ///< holds the git directories of submodules, whose names may contain '/'
  hooks,           ///< `*.sample` is never run by git; everything else is protected
  remotes,         ///< `branches`, `remotes`: URLs in an old form
  info,            ///< exclude, attributes, sparse-checkout
  objects,         ///< the object store
  objects_info,    ///< alternates, packs
  rebase,          ///< a stopped rebase; its list of steps may hold commands
  data,            ///< objects, refs, logs, state: git's own, as long as nothing in it is a link
};

/// Whether git reads this folder as (part of) a git directory.
[[nodiscard]] bool is_git_directory(Zone zone);

enum class GitAccess : std::uint8_t {
  written,     ///< git writes it: nothing to protect
  inert,       ///< git init makes it and nothing runs because of it: accepted in a new repository
  config,      ///< accepted in a new repository after all but its inert keys are removed
  common_dir,  ///< accepted in a new worktree when it says "../.."
  alternates,  ///< reported: objects are read from elsewhere, nothing is run
  todo,        ///< written by git; its `exec` lines are reported as "will run later"
  guarded,     ///< protected
  foreign,     ///< not git's: an ordinary file of the user
};

struct GitEntry {
  GitAccess access = GitAccess::guarded;
  Zone zone = Zone::guarded;  ///< of the entry when it is a directory

  friend bool operator==(const GitEntry&, const GitEntry&) = default;
};

/// The verdict on an entry called `name` in a directory of `zone`, which must not be plain or
/// reported. In Zone::modules a folder's zone is `modules`: the caller says `repository` when it
/// finds a HEAD in it.
[[nodiscard]] GitEntry git_entry(Zone zone, std::string_view name, FileType type);

/// Whether `path` (relative to a git directory, '/' between names) is a file that git itself
/// writes. No file system is asked, so the name of a submodule may end at any '/'.
[[nodiscard]] bool is_written_by_git(std::string_view path);

/// Names that make git take a folder for a git directory: HEAD with objects and refs, or HEAD with
/// commondir. ASCII case is ignored: some file systems do.
struct GitMarks {
  bool head = false;
  bool objects = false;
  bool refs = false;
  bool common_dir = false;

  void note(std::string_view name);
  [[nodiscard]] bool complete() const { return head && (common_dir || (objects && refs)); }
  friend bool operator==(const GitMarks&, const GitMarks&) = default;
};

/// ASCII only: the case folding of file systems for other letters is not followed.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace fathom::sandbox
