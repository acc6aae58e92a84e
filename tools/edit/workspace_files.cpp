#include "tools/edit/workspace_files.hpp"

#include "policies/path_rules.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/host_edits.hpp"
#include "tools/edit/replace_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace fathom::tools {
namespace {

using policies::is_at_or_below;
using sandbox::FileType;

constexpr std::size_t kPieceBytes = 256UL << 10;  // of a scan
constexpr int kOpenFile = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

// How `path` goes on below `folder`; "" for the folder itself.
std::string_view below(std::string_view path, std::string_view folder) {
  if (path.size() == folder.size()) return "";
  return path.substr(folder == "/" ? 1 : folder.size() + 1);
}

std::string normal(const std::filesystem::path& path) {
  std::string text = path.lexically_normal().string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

Result<> require_file(const FileIdentity& identity) {
  if (identity.type == FileType::directory) return fail(ErrorCode::usage, "it is a folder");
  if (identity.type != FileType::regular)
    return fail(ErrorCode::usage, "it is no regular file (a device, socket or pipe)");
  return {};
}

// Nobody may write it: said before the system lets root do so all the same.
Result<> require_writable(int folder, const std::string& name, std::uint32_t mode) {
  if ((mode & 0222U) != 0 && ::faccessat(folder, name.c_str(), W_OK, AT_EACCESS) == 0) return {};
  if ((mode & 0222U) != 0 && errno != EACCES) return fail(system_error("write", errno));
  return fail(ErrorCode::permission,
              "the file is read-only: chmod u+w it first if it is meant to be edited");
}

// Makes what is missing of the folder `path` below `root`, one name at a time and over no link.
Result<UniqueFd> make_folders(int root, std::string_view path) {
  UniqueFd at;
  std::size_t made = 0;
  while (!path.empty()) {
    const int from = at ? at.get() : root;
    const std::string name(path.substr(0, path.find('/')));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    const bool is_new = ::mkdirat(from, name.c_str(), 0777) == 0;
    if (!is_new && errno != EEXIST) return fail(system_error("make folder " + name, errno));
    if (is_new && ++made > kFoldersMadeMax)
      return fail(ErrorCode::too_large,
                  "more than " + std::to_string(kFoldersMadeMax) + " new folders for one file");
    at = TRY(sandbox::open_directory(from, name));
  }
  if (!at) at = TRY(sandbox::open_directory(root, ""));
  return at;
}

}  // namespace

Result<std::vector<std::string>> without_links(const std::vector<std::filesystem::path>& folders) {
  std::vector<std::string> paths;
  for (const std::filesystem::path& path : folders) {
    std::error_code error;
    const std::filesystem::path followed = std::filesystem::weakly_canonical(path, error);
    if (error) return fail(system_error("open folder " + path.string(), error.value()));
    paths.push_back(normal(followed));
  }
  return paths;
}

Result<std::unique_ptr<HostFiles>> HostFiles::create(
    const std::filesystem::path& workspace, const std::vector<std::filesystem::path>& readable) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(workspace, error);
  if (error) return fail(system_error("open workspace " + workspace.string(), error.value()));
  UniqueFd folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail(system_error("open workspace " + root.string(), errno));
  return std::make_unique<HostFiles>(root.string(), std::move(folder),
                                     TRY(without_links(readable)));
}

// What leads out of the workspace may lead back into it, by another of its names.
Result<Followed> HostFiles::follow(std::string_view path) const {
  Followed followed = TRY(follow_links(folder_.get(), root_, path));
  if (followed.inside) return followed;
  std::error_code error;
  followed.path = normal(std::filesystem::weakly_canonical(followed.path, error));
  if (error) return fail(system_error(to_printable(path), error.value()));
  if (!is_at_or_below(followed.path, root_)) return followed;
  followed = TRY(follow_links(folder_.get(), root_, followed.path));
  if (followed.inside) return followed;
  return fail(ErrorCode::permission, to_printable(path) + " leads out of the workspace twice");
}

Result<ResolvedPath> HostFiles::resolve(std::string_view path) const {
  if (path.empty()) return fail(ErrorCode::usage, "path is empty: '.' is the workspace");
  if (path.contains('\0') || path.size() > policies::kPathBytesMax)
    return fail(ErrorCode::usage, "path is no path: it holds a zero byte or is too long");
  const Result<Followed> followed = follow(path);
  if (!followed) return fail(followed.error());
  ResolvedPath place;
  place.path = followed->path;
  place.in_workspace = followed->inside;
  const bool readable = std::ranges::any_of(
      readable_, [&](const std::string& folder) { return is_at_or_below(place.path, folder); });
  if (!place.in_workspace && !readable) {
    const bool by_link = is_at_or_below(normal(std::filesystem::path(root_) / path), root_);
    return fail(ErrorCode::permission,
                to_printable(path) + (by_link ? " leads outside the workspace through a link"
                                              : " is outside the workspace " + root_));
  }
  place.shown = place.in_workspace ? std::string(below(place.path, root_)) : place.path;
  if (place.shown.empty()) place.shown = ".";
  const auto stamp = place.in_workspace
                         ? sandbox::stamp_of(folder_.get(), std::string(below(place.path, root_)))
                         : sandbox::stamp_of(AT_FDCWD, place.path);
  place.exists = stamp.has_value();
  if (followed->dangling || (stamp && stamp->type == FileType::symlink))
    return fail(ErrorCode::not_found, to_printable(path) + " is a link to nothing");
  if (stamp) place.type = stamp->type;
  return place;
}

Result<UniqueFd> HostFiles::open(const ResolvedPath& place, int flags) const {
  std::string_view root = root_;
  if (!place.in_workspace) {
    const auto found = std::ranges::find_if(
        readable_, [&](const std::string& folder) { return is_at_or_below(place.path, folder); });
    ENSURE(found != readable_.end(), "resolve() gives no other places");
    root = *found;
  }
  UniqueFd readable;
  if (!place.in_workspace) {
    readable.reset(::open(std::string(root).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable) return fail(system_error("open", errno));
  }
  const int folder = place.in_workspace ? folder_.get() : readable.get();
  const std::string_view rest = below(place.path, root);
  if (rest.empty()) return sandbox::open_directory(folder, "");
  const sandbox::Place at = TRY(sandbox::open_place(folder, rest));
  UniqueFd file(::openat(at.folder.get(), at.name.c_str(), flags));
  if (!file && errno == ELOOP)
    return fail(ErrorCode::in_use, "it became a link at this moment: try again");
  if (!file) return fail(system_error("open", errno));
  return file;
}

Result<FileBytes> HostFiles::read(const ResolvedPath& place, std::size_t bytes_max) const {
  const UniqueFd file = TRY(open(place, kOpenFile));
  FileBytes result;
  result.identity = TRY(sandbox::stamp_of(file.get(), ""));
  if (auto regular = require_file(result.identity); !regular)
    return fail(std::move(regular).error());
  if (result.identity.bytes > bytes_max)
    return fail(ErrorCode::too_large, "the file has " + format_bytes(result.identity.bytes) +
                                          ", more than the " + format_bytes(bytes_max) +
                                          " that are edited at most: use sed");
  result.bytes.resize(result.identity.bytes);
  const std::size_t got =
      TRY(read_at(file.get(), result.bytes.data(), result.bytes.size(), 0, "read"));
  if (got != result.bytes.size() || TRY(sandbox::stamp_of(file.get(), "")) != result.identity)
    return fail(ErrorCode::in_use, "the file changes while it is read: try again");
  return result;
}

Result<FileIdentity> HostFiles::scan(const ResolvedPath& place,
                                     const std::function<bool(std::string_view)>& piece) const {
  const UniqueFd file = TRY(open(place, kOpenFile));
  const FileIdentity identity = TRY(sandbox::stamp_of(file.get(), ""));
  if (auto regular = require_file(identity); !regular) return fail(std::move(regular).error());
  std::string buffer(kPieceBytes, '\0');
  for (std::size_t offset = 0;; offset += buffer.size()) {
    const std::size_t got = TRY(read_at(file.get(), buffer.data(), buffer.size(), offset, "read"));
    if (got > 0 && !piece(std::string_view(buffer).substr(0, got))) return identity;
    if (got < buffer.size()) return identity;
  }
}

Result<Written> HostFiles::write(const ResolvedPath& place,
                                 std::span<const std::string_view> pieces,
                                 const std::optional<FileIdentity>& expected) {
  if (!place.in_workspace)
    return fail(ErrorCode::permission, "it is outside the workspace and can only be read");
  const std::string_view rest = below(place.path, root_);
  if (rest.empty()) return fail(ErrorCode::usage, "it is a folder");
  const std::size_t slash = rest.rfind('/');
  const std::string_view parent = slash == std::string_view::npos ? "" : rest.substr(0, slash);
  const std::string name(rest.substr(slash + 1));  // npos + 1 is 0
  const UniqueFd folder = TRY(expected ? sandbox::open_directory(folder_.get(), parent)
                                       : make_folders(folder_.get(), parent));
  Written written;
  if (expected) {
    if (auto may = require_writable(folder.get(), name, expected->mode); !may)
      return fail(std::move(may).error());
    written.left_other_names = sandbox::has_more_names(folder.get(), name);
  }
  written.identity = TRY(replace_file(folder.get(), name, pieces, expected));
  return written;
}

Result<> HostFiles::remove(const ResolvedPath& place, const FileIdentity& expected) {
  if (!place.in_workspace)
    return fail(ErrorCode::permission, "it is outside the workspace and can only be read");
  const sandbox::Place at = TRY(sandbox::open_place(folder_.get(), below(place.path, root_)));
  return remove_file(at.folder.get(), at.name, expected);
}

Result<FolderListing> HostFiles::list(const ResolvedPath& place, std::size_t entries_max) const {
  const UniqueFd folder =
      TRY(open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  sandbox::Listing listing = TRY(sandbox::list(folder.get(), entries_max));
  FolderListing result;
  result.complete = listing.complete;
  for (sandbox::Listed& entry : listing.entries) {
    FileType type = entry.type;
    if (!entry.type_known) {
      const auto stamp = sandbox::stamp_of(folder.get(), entry.name);
      if (stamp) type = stamp->type;
    }
    result.entries.push_back({std::move(entry.name), type});
  }
  std::ranges::sort(result.entries, {}, &ListedEntry::name);
  return result;
}

}  // namespace fathom::tools
