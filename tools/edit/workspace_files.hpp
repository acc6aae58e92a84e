// WorkspaceFiles: the files an editing tool may see, as whole operations that block. HostFiles is
// the workspace on disk; OverlayFiles (overlay_files.hpp) is that of a session whose edits are kept
// beside it.
//
// Paths in two steps, so that policy and kernel speak of the same file: resolve() follows links by
// name and says what a path means; everything else takes that answer and follows no link at all.
// Whoever swaps a folder for a link in between gets an error, not a write outside.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/directory.hpp"
#include "tools/edit/follow_links.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {
struct WorkspaceView;  // launcher.hpp
}

namespace fathom::tools {

/// What tells that a file is not the one that was read: its place, size, times, mode and owner.
using FileIdentity = sandbox::Stamp;

/// What a path means now.
struct ResolvedPath {
  std::string path;   ///< absolute and normal, links followed
  std::string shown;  ///< relative to the workspace, as messages name it; "." is the workspace
  bool in_workspace = true;  ///< else below a folder that may only be read
  bool exists = false;
  sandbox::FileType type = sandbox::FileType::other;
  std::shared_ptr<const sandbox::WorkspaceView> view;  ///< where OverlayFiles resolved it
};

struct FileBytes {
  std::string bytes;
  FileIdentity identity;
};

struct Written {
  FileIdentity identity;
  bool left_other_names = false;  ///< the file had further names, which keep the old bytes
};

struct ListedEntry {
  std::string name;
  sandbox::FileType type = sandbox::FileType::other;
};

struct FolderListing {
  std::vector<ListedEntry> entries;  ///< by name
  bool complete = true;
};

class WorkspaceFiles {
 public:
  WorkspaceFiles() = default;
  virtual ~WorkspaceFiles() = default;
  WorkspaceFiles(const WorkspaceFiles&) = delete;
  WorkspaceFiles& operator=(const WorkspaceFiles&) = delete;

  /// Relative paths are the workspace's. Errors: `permission` outside the workspace and the
  /// readable folders, or when a link leads there; `not_found` for a link to nothing; `usage` for
  /// what is no path.
  [[nodiscard]] virtual Result<ResolvedPath> resolve(std::string_view path) const = 0;

  /// The whole regular file: `too_large` beyond `bytes_max`, `in_use` when it changed meanwhile.
  [[nodiscard]] virtual Result<FileBytes> read(const ResolvedPath& place,
                                               std::size_t bytes_max) const = 0;

  /// The file in pieces, in constant memory, until `piece` says false.
  [[nodiscard]] virtual Result<FileIdentity> scan(
      const ResolvedPath& place, const std::function<bool(std::string_view)>& piece) const = 0;

  /// Replaces the file that `expected` was read from, or makes a new one (and its folders) when
  /// that is absent, by the pieces one behind the other. `in_use` when another one is there by now.
  [[nodiscard]] virtual Result<Written> write(const ResolvedPath& place,
                                              std::span<const std::string_view> pieces,
                                              const std::optional<FileIdentity>& expected) = 0;

  /// Takes the file away that `expected` was read from.
  [[nodiscard]] virtual Result<> remove(const ResolvedPath& place,
                                        const FileIdentity& expected) = 0;

  [[nodiscard]] virtual Result<FolderListing> list(const ResolvedPath& place,
                                                   std::size_t entries_max) const = 0;
};

/// Absolute and without links, as far as they exist.
Result<std::vector<std::string>> without_links(const std::vector<std::filesystem::path>& folders);

inline constexpr std::size_t kFoldersMadeMax = 64;  // for one new file

/// Files of the workspace by its open folder, and of further folders that may be read.
///
/// A replaced file keeps its mode, access list and user attributes, and its owner when root writes.
/// It is not synced, only its writing begun: an edit costs a rename instead of a disk's latency,
/// journals and undo do not depend on it, and where the file system orders a file's bytes before
/// the names that follow (ext4 as it is mounted by default, btrfs), a power failure leaves
/// the old file or the new one. Other names of the same file (hard links) keep the old bytes,
/// because they may lie outside the workspace, as a package store's do.
class HostFiles final : public WorkspaceFiles {
 public:
  /// `folder` is the workspace as it is to be seen; `root` is its path, absolute and without links,
  /// as those of `readable` are.
  HostFiles(std::string root, UniqueFd folder, std::vector<std::string> readable)
      : root_(std::move(root)), folder_(std::move(folder)), readable_(std::move(readable)) {}

  /// `workspace` must be a folder. `readable` need not exist yet.
  static Result<std::unique_ptr<HostFiles>> create(
      const std::filesystem::path& workspace, const std::vector<std::filesystem::path>& readable);

  [[nodiscard]] Result<ResolvedPath> resolve(std::string_view path) const override;
  [[nodiscard]] Result<FileBytes> read(const ResolvedPath& place,
                                       std::size_t bytes_max) const override;
  [[nodiscard]] Result<FileIdentity> scan(
      const ResolvedPath& place, const std::function<bool(std::string_view)>& piece) const override;
  [[nodiscard]] Result<Written> write(const ResolvedPath& place,
                                      std::span<const std::string_view> pieces,
                                      const std::optional<FileIdentity>& expected) override;
  [[nodiscard]] Result<> remove(const ResolvedPath& place, const FileIdentity& expected) override;
  [[nodiscard]] Result<FolderListing> list(const ResolvedPath& place,
                                           std::size_t entries_max) const override;

 private:
  [[nodiscard]] Result<Followed> follow(std::string_view path) const;
  [[nodiscard]] Result<UniqueFd> open(const ResolvedPath& place, int flags) const;

  std::string root_;  ///< absolute, links followed
  UniqueFd folder_;
  std::vector<std::string> readable_;
};

}  // namespace fathom::tools
