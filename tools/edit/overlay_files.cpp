#include "tools/edit/overlay_files.hpp"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace fathom::tools {
namespace {

// The ids that this thread makes and opens files by. An overlay inside a user namespace takes no
// files of ids that are not mapped there, as root's is not; and what the session may not write, its
// editor must not.
class ActingAs {
 public:
  explicit ActingAs(const sandbox::WorkspaceView& view) : uid_(::geteuid()), gid_(::getegid()) {
    ::setfsgid(view.gid);
    ::setfsuid(view.uid);
  }
  ~ActingAs() {
    ::setfsuid(uid_);
    ::setfsgid(gid_);
  }
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;

 private:
  uid_t uid_;
  gid_t gid_;
};

}  // namespace

Result<std::unique_ptr<HostFiles>> OverlayFiles::in(const sandbox::WorkspaceView& view) const {
  UniqueFd folder(::fcntl(view.folder.get(), F_DUPFD_CLOEXEC, 0));
  if (!folder) return fail(system_error("open the session's workspace", errno));
  return std::make_unique<HostFiles>(root_, std::move(folder), readable_);
}

Result<ResolvedPath> OverlayFiles::resolve(std::string_view path) const {
  auto view = std::make_shared<const sandbox::WorkspaceView>(TRY(open_view_()));
  const auto files = TRY(in(*view));
  ResolvedPath place = TRY(files->resolve(path));
  place.view = std::move(view);
  return place;
}

Result<FileBytes> OverlayFiles::read(const ResolvedPath& place, std::size_t bytes_max) const {
  const auto files = TRY(in(*place.view));
  return files->read(place, bytes_max);
}

Result<FileIdentity> OverlayFiles::scan(const ResolvedPath& place,
                                        const std::function<bool(std::string_view)>& piece) const {
  const auto files = TRY(in(*place.view));
  return files->scan(place, piece);
}

// A file that is still the workspace's becomes the layer's when it is written, and may be another
// inode then: done before the swap, which would take the copy for somebody else's file.
Result<FileIdentity> OverlayFiles::copied_up(const ResolvedPath& place,
                                             const FileIdentity& expected) const {
  const std::string below = place.path.substr(root_.size() + 1);
  const sandbox::Place at = TRY(sandbox::open_place(place.view->folder.get(), below));
  const UniqueFd copy(
      ::openat(at.folder.get(), at.name.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!copy) return expected;  // the write says why
  FileIdentity found = TRY(sandbox::stamp_of(at.folder.get(), at.name));
  FileIdentity same = expected;
  same.device = found.device;
  same.inode = found.inode;
  same.changed_ns = found.changed_ns;
  return found == same ? found : expected;
}

Result<Written> OverlayFiles::write(const ResolvedPath& place,
                                    std::span<const std::string_view> pieces,
                                    const std::optional<FileIdentity>& expected) {
  const ActingAs session(*place.view);
  std::optional<FileIdentity> known = expected;
  if (known && place.in_workspace) known = TRY(copied_up(place, *known));
  const auto files = TRY(in(*place.view));
  return files->write(place, pieces, known);
}

Result<> OverlayFiles::remove(const ResolvedPath& place, const FileIdentity& expected) {
  const ActingAs session(*place.view);
  const FileIdentity known = place.in_workspace ? TRY(copied_up(place, expected)) : expected;
  const auto files = TRY(in(*place.view));
  return files->remove(place, known);
}

Result<FolderListing> OverlayFiles::list(const ResolvedPath& place, std::size_t entries_max) const {
  const auto files = TRY(in(*place.view));
  return files->list(place, entries_max);
}

}  // namespace fathom::tools
