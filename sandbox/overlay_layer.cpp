#include "sandbox/overlay_layer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kAttributeNamesBytesMax = 64 * 1024;  // of one file, as the kernel has it
constexpr std::size_t kAttributeBytesMax = 64 * 1024;

// There is no getxattrat before Linux 6.13; through the descriptor's link only the last name is
// looked up, and lgetxattr does not follow that.
std::string path_through(int folder, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(folder) + '/' + name;
}

bool has_attribute(const std::string& path, const char* name) {
  return ::lgetxattr(path.c_str(), name, nullptr, 0) >= 0;
}

bool is_marked(const std::string& path, const char* name, char mark) {
  std::array<char, 8> value{};
  return ::lgetxattr(path.c_str(), name, value.data(), value.size()) == 1 && value[0] == mark;
}

Result<UniqueFd> open_whatever_mode(int folder, const std::string& name, int flags) {
  const int open_flags = flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd opened(::openat(folder, name.c_str(), open_flags));
  if (opened || errno != EACCES) {
    if (!opened) return fail(system_error("open", errno));
    return opened;
  }
  const UniqueFd path(::openat(folder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!path) return fail(system_error("open", errno));
  const Stamp stamp = TRY(stamp_of(path.get(), ""));
  if (stamp.type == FileType::symlink) return fail(ErrorCode::bad_data, "open: a link");
  // fchmod does not take an O_PATH descriptor.
  const std::string self = "/proc/self/fd/" + std::to_string(path.get());
  if (::chmod(self.c_str(), stamp.mode | S_IRUSR | S_IXUSR) != 0)
    return fail(system_error("open", errno));
  opened.reset(::openat(folder, name.c_str(), open_flags));
  const int error = errno;
  (void)::chmod(self.c_str(), stamp.mode);
  if (!opened) return fail(system_error("open", error));
  return opened;
}

}  // namespace

Result<LayerEntry> look_at_layer(int folder, const std::string& name) {
  LayerEntry entry;
  entry.stamp = TRY(stamp_of(folder, name));
  if (entry.stamp.type == FileType::symlink) return entry;  // they take no user attributes
  if (entry.stamp.type == FileType::other) {
    struct stat status{};
    if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return fail(system_error("stat", errno));
    entry.whiteout = S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
    return entry;
  }
  if (entry.stamp.type == FileType::directory)
    entry.opaque = is_marked(path_through(folder, name), "user.overlay.opaque", 'y');
  else if (entry.stamp.bytes == 0)
    entry.whiteout = has_attribute(path_through(folder, name), "user.overlay.whiteout");
  return entry;
}

bool is_copied_up(int folder, const std::string& name) {
  return has_attribute(path_through(folder, name), "user.overlay.origin");
}

LayerReader::~LayerReader() {
  // The innermost first: the outer ones have to be walked no more.
  while (!opened_.empty()) {
    (void)::fchmod(opened_.back().folder.get(), opened_.back().mode);
    opened_.pop_back();
  }
}

Result<UniqueFd> LayerReader::enter(int folder, const std::string& name) {
  UniqueFd opened = TRY(open_whatever_mode(folder, name, O_RDONLY | O_DIRECTORY));
  if (::faccessat(opened.get(), ".", R_OK | X_OK, AT_EACCESS) == 0) return opened;
  const Stamp stamp = TRY(stamp_of(opened.get(), ""));
  if (::fchmod(opened.get(), stamp.mode | S_IRWXU) != 0) return fail(system_error("open", errno));
  UniqueFd kept(::fcntl(opened.get(), F_DUPFD_CLOEXEC, 0));
  if (kept && opened_.size() < kOpenedMax) opened_.push_back({std::move(kept), stamp.mode});
  return opened;
}

Result<UniqueFd> LayerReader::folder(const std::string& path) {
  Result<UniqueFd> whole = open_directory(root_, path);
  if (whole || whole.error().code != ErrorCode::permission) {
    if (whole && ::faccessat(whole->get(), ".", X_OK, AT_EACCESS) == 0) return whole;
    if (!whole) return whole;
  }
  UniqueFd at = TRY(open_directory(root_, ""));
  for (std::string_view rest = path; !rest.empty();) {
    const std::size_t slash = rest.find('/');
    at = TRY(enter(at.get(), std::string(rest.substr(0, slash))));
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  return at;
}

Result<UniqueFd> LayerReader::file(int folder, const std::string& name) {
  return open_whatever_mode(folder, name, O_RDONLY);
}

void copy_user_attributes(int from, int to) {
  std::vector<char> names(kAttributeNamesBytesMax);
  const ssize_t listed = ::flistxattr(from, names.data(), names.size());
  if (listed <= 0) return;
  std::vector<char> value(kAttributeBytesMax);
  for (std::string_view rest(names.data(), static_cast<std::size_t>(listed)); !rest.empty();) {
    const std::string name(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (!name.starts_with("user.") || name.starts_with("user.overlay.")) continue;
    const ssize_t bytes = ::fgetxattr(from, name.c_str(), value.data(), value.size());
    if (bytes >= 0)
      (void)::fsetxattr(to, name.c_str(), value.data(), static_cast<std::size_t>(bytes), 0);
  }
}

}  // namespace fathom::sandbox
