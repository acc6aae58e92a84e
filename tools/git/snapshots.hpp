// Snapshots: the state of a workspace before each call that may change it, so that a run can be
// undone. Kept in a store of their own outside the workspace and outside any repository; nothing of
// git's is read but ignore files and the list of tracked files, nothing of git's is written.
//
// What a snapshot holds: contents, links, folders (empty ones too) and permission bits of all that
// is not ignored, and of ignored files that git tracks. What it does not: `.git` at any depth,
// ignored files, files beyond ScanBounds (named in the record), owners, times, hard links, extended
// attributes. A restore never touches what the snapshot does not hold.
//
//   before each mutating call    take("run R step N")     -> id N
//   after the last one           take("run R end")        -> end
//   undo of step N               plan(N, end), restore(N, end, …)
//
// With `end` known, what the user changed since is kept, and a file that both changed is a
// conflict; without, everything that differs goes back.
//
// Blocking; for an offload thread. Several processes may use one store: each call holds its lock.
#pragma once

#include "runtime/base/unique_fd.hpp"
#include "tools/git/restore.hpp"
#include "tools/git/snapshot_diff.hpp"
#include "tools/git/workspace_scan.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kTreeBytesMax = 256UL << 20;  ///< of one folder's tree

/// Older snapshots go, but never the newest.
struct SnapshotBounds {
  std::size_t snapshots_max = 500;
  std::chrono::hours age_max{24 * 14};
  std::uint64_t store_bytes_max = 2UL << 30;      ///< on disk, held at each sweep
  std::size_t snapshots_slack = 100;              ///< beyond the most, before there is a sweep
  std::uint64_t sweep_every_bytes = 256UL << 20;  ///< written since the last sweep
  ScanBounds scan;
};

struct SnapshotOptions {
  std::filesystem::path store;      ///< snapshots of all workspaces: STATE/snapshots
  std::filesystem::path workspace;  ///< links in it are resolved once
  SnapshotBounds bounds;
  std::function<std::int64_t()> now_ns;  ///< the clock of file times; the real one by default
};

enum class Conflicts : std::uint8_t {
  stop,       ///< with a conflict nothing is changed: `in_use`, naming the first
  overwrite,  ///< the snapshot wins
};

class Snapshots {
 public:
  static Result<Snapshots> open(SnapshotOptions options);

  struct Taken {
    SnapshotRecord record;
    std::uint64_t files_read = 0;  ///< whose content had to be read: 0 when nothing changed
  };
  /// Waits for other processes that use the store.
  Result<Taken> take(std::string_view label);

  /// The oldest first.
  Result<std::vector<SnapshotRecord>> list() const;
  /// `not_found` when there is none, or no more.
  Result<SnapshotRecord> find(const SnapshotId& id) const;

  /// What a restore would do now. `left`: what the run left.
  Result<RestorePlan> plan(const SnapshotId& id, const std::optional<SnapshotId>& left);

  struct Restored {
    RestoreReport report;
    SnapshotId before;  ///< a snapshot of what was there: a restore can be undone too
  };
  Result<Restored> restore(const SnapshotId& id, const std::optional<SnapshotId>& left,
                           Conflicts conflicts);

  /// What changed between two snapshots; `not_found` when one of them is gone.
  Result<SnapshotDiff> diff(const SnapshotId& from, const SnapshotId& to,
                            const DiffBounds& bounds = {}) const;

  /// Drops what is beyond the bounds and removes what nothing needs any more. take() does it when
  /// it is due.
  Result<> sweep();

  /// Where this workspace's snapshots are.
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  Snapshots(SnapshotOptions options, std::filesystem::path folder, ObjectStore objects,
            std::uint64_t seed)
      : options_(std::move(options)),
        folder_(std::move(folder)),
        objects_(std::move(objects)),
        id_source_(seed) {}

  struct Looked {
    UniqueFd root;
    std::int64_t now_ns = 0;
    std::string excludes;
    GitState git;
    ScanFinding found;
  };
  Result<UniqueFd> lock() const;
  Result<Looked> look();
  Result<Taken> keep(const Looked& looked, std::string_view label);
  void load_cache();
  void remember(ScanFinding& found);
  [[nodiscard]] std::vector<SnapshotId> ids() const;
  Result<> sweep_if_due();
  Result<> sweep_locked();
  Result<> drop_unneeded(const std::vector<SnapshotId>& kept);
  Result<TreeState> state_of(const ObjectId& root) const;
  Result<RestorePlan> plan_for(const SnapshotRecord& record, const std::optional<SnapshotId>& left,
                               Looked& looked) const;
  [[nodiscard]] std::filesystem::path record_path(const SnapshotId& id) const;

  SnapshotOptions options_;
  std::filesystem::path folder_;
  ObjectStore objects_;
  std::unique_ptr<StatCache> cache_;  ///< as the file has it at cache_stamp_
  sandbox::Stamp cache_stamp_;
  UlidSource id_source_;
  std::uint64_t counted_ = 0;  ///< of the bytes written, for `unswept`
};

}  // namespace fathom::tools
