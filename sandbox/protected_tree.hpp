// The things in a workspace that the user's own programs obey outside any sandbox - git's hooks and
// config, editor and agent start-up files - and that a command must therefore leave as they were.
//
// Two fences. Before a command, pins() names what exists, for read-only mounts. After it, audit()
// looks at what changed and undoes what a mount could not stop: a name that did not exist, a
// repository the command made, a mount point that was renamed over from outside. Without mounts the
// audit is the only fence, and between the command's write and the audit the thing is there.
//
// Not protected: what a `*.sample` hook says; build files (reported only); files that hooks or
// filters outside the list above call; names on a case-folding file system that differ in other
// letters than ASCII; extended attributes of what is put back. Files larger than
// ScanLimits::saved_file_bytes_max are moved away, but not put back.
//
// Not covered: a git directory above the workspace, or behind a `.git` that is a link; folders that
// core.hooksPath names in a worktree which the command itself added; names below other mounts (they
// are pinned whole).
//
// Cost, in a workspace of 5,700 files in 1,317 folders (256 of them loose objects), ext4, warm
// cache, on a virtual machine with 2 busy cores: an audit that finds nothing changed takes 2.0 ms
// of processor time, one that finds a changed folder 6.5 ms, the first look 36 ms.
#pragma once

#include "policies/policy.hpp"
#include "sandbox/audit.hpp"
#include "sandbox/pins.hpp"
#include "sandbox/quarantine.hpp"
#include "sandbox/tree_scan.hpp"

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace fathom::sandbox {

struct TreeOptions {
  std::string workspace;  ///< links in it are resolved once
  std::vector<policies::ProtectedName> names;
  std::string quarantine;  ///< an existing folder outside the workspace
  ScanLimits limits;
  std::function<std::int64_t()> now_ns;  ///< of the clock of file times; the real one by default
};

class ProtectedTree {
 public:
  static constexpr int kRoundsMax = 3;          ///< looks of one audit, against a moving target
  static constexpr std::size_t kRootsMax = 64;  ///< git directories outside the workspace
  static constexpr std::size_t kMadeMax = 10'000;

  /// Looks at the whole workspace.
  static Result<ProtectedTree> create(TreeOptions options);

  /// Before a command: takes the tree as the host left it for good. Must not be called while a
  /// process of an earlier command lives, or what that one did would be accepted: call audit()
  /// instead.
  Result<> refresh();

  /// What exists and is to be pinned. What commands of this tree's life made is left out: they may
  /// remove it again, and the audit sees what they change in it.
  [[nodiscard]] Pins pins() const;

  /// After a command: undoes what it did to protected things. `pinned` are those of
  /// Pins::read_only that were in place while it ran; what changed under them was not its doing.
  AuditReport audit(const std::vector<std::string>& pinned);

 private:
  ProtectedTree(std::unique_ptr<ScanSubject> subject, Quarantine quarantine)
      : subject_(std::move(subject)), quarantine_(std::move(quarantine)) {}

  struct Corrections {
    std::unordered_set<std::string> made;    ///< by rule and path
    std::unordered_set<std::string> failed;  ///< what could not be undone: not tried again
    bool left = false;                       ///< something is still to be undone
  };
  bool correct_all(const Deviations& deviations, Corrections& done, AuditReport& report);
  void tell_rest(const Deviations& deviations, Corrections& done, AuditReport& report);
  Result<bool> adopt_git_folders();
  bool adopt_configured_paths();
  void note_made(const Snapshot& now);

  std::unique_ptr<ScanSubject> subject_;
  Quarantine quarantine_;
  Snapshot accepted_;
  std::vector<std::string> notes_;
  std::unordered_set<std::string> made_;  ///< git directories and `.git` files made by commands
};

}  // namespace fathom::sandbox
