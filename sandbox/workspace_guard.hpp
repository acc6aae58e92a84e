// WorkspaceGuard: protected paths over a session's life: pinned by mounts where there are mounts,
// looked at after every command everywhere.
#pragma once

#include "policies/policy.hpp"
#include "sandbox/host.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/plan.hpp"
#include "sandbox/protected_tree.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

namespace fathom::sandbox {

/// Blocks on the file system, some milliseconds in a large workspace. One thread.
/// TODO(perf): a thread of its own that takes turns.
class WorkspaceGuard {
 public:
  /// Scans the workspace. `quarantine` is made when missing, private to this user.
  static Result<WorkspaceGuard> create(const policies::Policy& policy, const Workspace& workspace,
                                       const std::filesystem::path& quarantine);

  /// What the session's root pins.
  [[nodiscard]] const Pins& session_pins() const { return session_pins_; }

  /// Before a command: what the host changed meanwhile is accepted, unless commands of this session
  /// are still running. Gives the mounts of what has appeared since the session began.
  Result<MountRecipe> before();

  /// The command that before() was called for does not run after all.
  void abandon() { --running_; }

  /// After a command: puts back or quarantines what it did to protected paths, and says so.
  void after(Outcome& outcome);

  /// Whether mounts pin anything here; without, the audit is the only fence.
  enum class Fence : std::uint8_t { mounts_and_audit, audit_only };
  void set_fence(Fence fence) { fence_ = fence; }

 private:
  /// Which file a path leads to: a mount goes with the file that it stands on.
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t born_ns = 0;  ///< numbers of inodes are used again
    std::int64_t changed_ns = 0;
    [[nodiscard]] bool is_same_file(const Identity& other) const {
      return device == other.device && inode == other.inode && born_ns == other.born_ns;
    }
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  using Identities = std::unordered_map<std::string, Identity>;

  explicit WorkspaceGuard(ProtectedTree tree);
  static Identity identity_of(const std::string& path);
  static Identities identities_of(const Pins& pins);
  /// Of `paths`, those whose pin of the session stands no more, or never did.
  [[nodiscard]] std::vector<std::string> not_pinned(const std::vector<std::string>& paths) const;

  ProtectedTree tree_;
  Pins session_pins_;
  Identities session_files_;         ///< what the session's pins stand on
  std::vector<std::string> pinned_;  ///< read-only in every cell since its launch
  Identities pinned_files_;          ///< what they stood on then
  Fence fence_ = Fence::mounts_and_audit;
  std::size_t running_ = 0;
  bool audit_owed_ = false;  ///< the last audit was incomplete
};

}  // namespace fathom::sandbox
