#include "sandbox/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

namespace fathom::sandbox {
namespace {

// Paths are walked in pieces below PATH_MAX.
constexpr std::size_t kPieceBytesMax = 3072;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

FileType type_of_mode(std::uint32_t mode) {
  if (S_ISREG(mode)) return FileType::regular;
  if (S_ISDIR(mode)) return FileType::directory;
  return S_ISLNK(mode) ? FileType::symlink : FileType::other;
}

std::int64_t nanoseconds(const statx_timestamp& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

int openat2_beneath(int dir, const char* path) {
  open_how how{};
  how.flags = static_cast<unsigned>(kOpenDirectory);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, dir, path, &how, sizeof(how)));
}

// For kernels and outer filters without openat2: one name at a time.
UniqueFd open_by_names(int dir, std::string_view path) {
  UniqueFd at;
  int from = dir;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    if (name == "..") {
      errno = EXDEV;
      return {};
    }
    UniqueFd next(::openat(from, name.c_str(), kOpenDirectory));
    if (!next) return {};
    at = std::move(next);
    from = at.get();
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return at;
}

UniqueFd open_piece(int dir, const std::string& path) {
  UniqueFd opened(openat2_beneath(dir, path.c_str()));
  if (!opened && (errno == ENOSYS || errno == EPERM)) return open_by_names(dir, path);
  return opened;
}

// The end of the first piece: whole names, at least one.
std::size_t piece_end(std::string_view path) {
  if (path.size() <= kPieceBytesMax) return path.size();
  const std::size_t slash = path.rfind('/', kPieceBytesMax);
  return slash == std::string_view::npos ? path.size() : slash;
}

}  // namespace

Result<Stamp> stamp_of(int dir, const std::string& path) {
  struct statx status;
  constexpr unsigned kMask = STATX_BASIC_STATS | STATX_MNT_ID;
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (path.empty() ? AT_EMPTY_PATH : 0);
  if (::statx(dir, path.c_str(), flags, kMask, &status) != 0)
    return fail(system_error("stat", errno));
  Stamp stamp;
  stamp.type = type_of_mode(status.stx_mode);
  stamp.device = (std::uint64_t{status.stx_dev_major} << 32) | status.stx_dev_minor;
  stamp.inode = status.stx_ino;
  stamp.mount = (status.stx_mask & STATX_MNT_ID) != 0 ? status.stx_mnt_id : 0;
  stamp.bytes = status.stx_size;
  stamp.modified_ns = nanoseconds(status.stx_mtime);
  stamp.changed_ns = nanoseconds(status.stx_ctime);
  stamp.mode = status.stx_mode & 07777U;
  stamp.uid = status.stx_uid;
  stamp.gid = status.stx_gid;
  return stamp;
}

Result<Listing> list(int dir, std::size_t entries_max) {
  // A descriptor of its own, as fdopendir takes it over and moves its position.
  UniqueFd own(::openat(dir, ".", kOpenDirectory));
  if (!own) return fail(system_error("open", errno));
  DIR* stream = ::fdopendir(own.get());
  if (stream == nullptr) return fail(system_error("list", errno));
  (void)own.release();
  Listing listing;
  int failure = 0;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream);
    if (entry == nullptr) {
      failure = errno;
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (listing.entries.size() == entries_max) {
      listing.complete = false;
      break;
    }
    Listed& listed = listing.entries.emplace_back();
    listed.name = name;
    listed.type_known = entry->d_type != DT_UNKNOWN;
    listed.type = type_of_mode(static_cast<std::uint32_t>(DTTOIF(entry->d_type)));
  }
  ::closedir(stream);
  if (failure != 0) return fail(system_error("list", failure));
  return listing;
}

Result<UniqueFd> open_directory(int root, std::string_view path) {
  UniqueFd at;
  int from = root;
  if (path.empty()) path = ".";
  while (!path.empty()) {
    const std::size_t end = piece_end(path);
    UniqueFd next = open_piece(from, std::string(path.substr(0, end)));
    if (!next) return fail(system_error("open", errno));
    at = std::move(next);
    from = at.get();
    path.remove_prefix(end == path.size() ? end : end + 1);
  }
  return at;
}

Result<Place> open_place(int root, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const bool top = slash == std::string_view::npos;
  Place place;
  place.folder = TRY(open_directory(root, top ? std::string_view() : path.substr(0, slash)));
  place.name = path.substr(slash + 1);  // npos + 1 is 0
  return place;
}

Result<std::string> read_regular(int dir, const std::string& name, std::size_t bytes_max) {
  const UniqueFd file(
      ::openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return fail(system_error("open", errno));
  const Stamp stamp = TRY(stamp_of(file.get(), ""));
  if (stamp.type != FileType::regular) return fail(ErrorCode::bad_data, "not a regular file");
  if (stamp.bytes > bytes_max)
    return fail(ErrorCode::too_large, "more than " + std::to_string(bytes_max) + " bytes");
  std::string bytes;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("read", errno));
    if (got == 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    if (bytes.size() > bytes_max)
      return fail(ErrorCode::too_large, "more than " + std::to_string(bytes_max) + " bytes");
  }
}

Result<std::string> read_link(int dir, const std::string& name) {
  std::array<char, PATH_MAX> buffer;
  const ssize_t got = ::readlinkat(dir, name.c_str(), buffer.data(), buffer.size());
  if (got < 0) return fail(system_error("read link", errno));
  return std::string(buffer.data(), static_cast<std::size_t>(got));
}

}  // namespace fathom::sandbox
