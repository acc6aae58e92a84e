// OverlayFiles: the workspace as the commands of a session see it whose edits are kept beside it
// (modes transaction and disposable).
//
// The layer of an overlay must not be written while it is mounted: the kernel then shows what it
// remembers. So everything goes through the session's own mount, of which the sandbox hands out the
// folder: whiteouts, copies and covers of protected names are the kernel's to get right, and a
// command sees an edit as it sees its own.
#pragma once

#include "sandbox/launcher.hpp"
#include "tools/edit/workspace_files.hpp"

#include <functional>
#include <string>
#include <vector>

namespace fathom::tools {

class OverlayFiles final : public WorkspaceFiles {
 public:
  /// Gives the view as it is now; called by resolve() on the caller's thread. An operation uses the
  /// view in which its place was resolved, and keeps it no longer.
  using OpenView = std::function<Result<sandbox::WorkspaceView>()>;

  /// `root` and `readable` are absolute and without links; the latter are the host's.
  OverlayFiles(std::string root, std::vector<std::string> readable, OpenView open_view)
      : root_(std::move(root)), readable_(std::move(readable)), open_view_(std::move(open_view)) {}

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
  [[nodiscard]] Result<std::unique_ptr<HostFiles>> in(const sandbox::WorkspaceView& view) const;
  [[nodiscard]] Result<FileIdentity> copied_up(const ResolvedPath& place,
                                               const FileIdentity& expected) const;

  std::string root_;
  std::vector<std::string> readable_;
  OpenView open_view_;
};

}  // namespace fathom::tools
