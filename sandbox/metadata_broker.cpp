#include "sandbox/metadata_broker.hpp"

#include "runtime/base/unique_fd.hpp"
#include "sandbox/without_capabilities.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

namespace fathom::sandbox {
namespace {

template <class T>
using OrErrno = std::expected<T, int>;

constexpr std::string_view kDeleted = " (deleted)";  // as the kernel writes it

// "/proc/self/fd/5" and its kin name a descriptor of the caller's. Walked here they would be ours.
// glibc changes modes without following links by such a name.
std::optional<int> descriptor_named(const Target& target, std::string_view path) {
  const std::array<std::string, 4> folders = {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/",
                                              target.folder() + "/fd/"};
  for (const std::string& folder : folders) {
    if (!path.starts_with(folder)) continue;
    const std::string_view digits = path.substr(folder.size());
    int number = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && end == digits.data() + digits.size() && number >= 0) return number;
  }
  return std::nullopt;
}

OrErrno<UniqueFd> open_descriptor(const Target& target, int number, bool may_be_path_only) {
  const std::string link = target.folder() + "/fd/" + std::to_string(number);
  struct stat shown{};
  if (::lstat(link.c_str(), &shown) != 0) return std::unexpected(EBADF);
  // The link's own mode says what the descriptor was opened for: nothing is O_PATH.
  if (!may_be_path_only && (shown.st_mode & (S_IRUSR | S_IWUSR)) == 0)
    return std::unexpected(EBADF);
  UniqueFd fd(::open(link.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return std::unexpected(errno == ENOENT ? EBADF : errno);
  return fd;
}

OrErrno<UniqueFd> open_folder(const Target& target, int descriptor) {
  if (descriptor != AT_FDCWD) return open_descriptor(target, descriptor, true);
  UniqueFd fd(::open((target.folder() + "/cwd").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return std::unexpected(errno);
  return fd;
}

// Target and runtime have the same mounts and the same root here.
OrErrno<UniqueFd> open_path(const Target& target, const MetadataPlace& place) {
  const std::string& path = *place.path;
  const bool follows = place.at_link == AtLink::follow;
  if (const auto number = descriptor_named(target, path); number && follows)
    return open_descriptor(target, *number, true);
  OrErrno<UniqueFd> folder(std::in_place);
  if (!path.starts_with('/')) folder = open_folder(target, place.descriptor);
  if (!folder) return folder;
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | (follows ? 0 : O_NOFOLLOW);
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const WithoutCapabilities as_target;
  if (!as_target.holds()) return std::unexpected(EPERM);
  UniqueFd fd(
      static_cast<int>(::syscall(SYS_openat2, folder->get(), path.c_str(), &how, sizeof how)));
  if (!fd) return std::unexpected(errno);
  return fd;
}

OrErrno<UniqueFd> open_place(const Target& target, const MetadataPlace& place) {
  if (place.path) return open_path(target, place);
  if (place.descriptor == AT_FDCWD) return open_folder(target, AT_FDCWD);
  return open_descriptor(target, place.descriptor, place.may_be_path_only);
}

// Something without a name that anybody else could find: a memory file, a deleted one, a pipe.
bool is_nameless(int fd, std::string_view path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return false;
  if (S_ISSOCK(info.st_mode)) return path.starts_with("socket:[");
  if (S_ISFIFO(info.st_mode) && path.starts_with("pipe:[")) return true;
  return info.st_nlink == 0 && path.ends_with(kDeleted);
}

std::optional<Denial> judge(const FileFences& fences, int fd) {
  const std::string path = descriptor_path(fd);
  if (is_nameless(fd, path)) return std::nullopt;
  return judge_change(fences, path);
}

// By way of the descriptor's own name: it is open on this very file, and these calls take no
// descriptor that opens nothing.
struct Performer {
  int fd;
  std::string name = "/proc/self/fd/" + std::to_string(fd);

  int operator()(const change::Mode& to) const { return ::chmod(name.c_str(), to.mode); }
  int operator()(const change::Owner& to) const {
    return ::fchownat(fd, "", to.user, to.group, AT_EMPTY_PATH);
  }
  int operator()(const change::Times& to) const {
    const timespec* times = to.times ? to.times->data() : nullptr;
    return static_cast<int>(::syscall(SYS_utimensat, fd, "", times, AT_EMPTY_PATH));
  }
  int operator()(const change::SetAttribute& to) const {
    return ::setxattr(name.c_str(), to.name.c_str(), to.value.data(), to.value.size(), to.flags);
  }
  int operator()(const change::RemoveAttribute& to) const {
    return ::removexattr(name.c_str(), to.name.c_str());
  }
};

// errno, or 0.
int perform(int fd, const MetadataChange& change) {
  const WithoutCapabilities as_target;
  if (!as_target.holds()) return EPERM;
  return std::visit(Performer{fd}, change) == 0 ? 0 : errno;
}

}  // namespace

void MetadataBroker::answer(const NotifyChannel& channel, const NotifiedCall& call,
                            Outcome& outcome) const {
  const Target target(call.thread);
  const auto request = read_metadata_call(target, call);
  if (!request) return channel.refuse(call, request.error());
  const auto file = open_place(target, request->place);
  // Only now it is certain that the memory, the folder and the descriptors were the caller's.
  if (!channel.still_waits(call)) return;
  if (!file) return channel.refuse(call, file.error());
  if (auto denial = judge(fences_, file->get())) {
    outcome.add(*std::move(denial));
    return channel.refuse(call, EACCES);
  }
  if (const int error = perform(file->get(), request->change)) return channel.refuse(call, error);
  channel.answer(call, 0);
}

}  // namespace fathom::sandbox
