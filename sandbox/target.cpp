#include "sandbox/target.hpp"

#include "runtime/base/file.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kPathBytesMax = 4096;       // PATH_MAX, NUL included
constexpr std::size_t kPageBytes = 4096;          // the smallest there is
constexpr std::size_t kDescriptorInfoMax = 4096;  // of /proc/PID/fdinfo/N

std::string link_text(const std::string& path) {
  std::array<char, kPathBytesMax> buffer{};
  const ssize_t size = ::readlink(path.c_str(), buffer.data(), buffer.size());
  return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

Target::Target(pid_t thread) : thread_(thread), folder_("/proc/" + std::to_string(thread)) {}

std::optional<std::string> Target::bytes(std::uint64_t address, std::size_t size) const {
  std::string copy(size, '\0');
  iovec local{copy.data(), size};
  iovec remote{reinterpret_cast<void*>(address), size};  // NOLINT(performance-no-int-to-ptr)
  const ssize_t read = ::process_vm_readv(thread_, &local, 1, &remote, 1, 0);
  if (read < 0 || static_cast<std::size_t>(read) != size) return std::nullopt;
  return copy;
}

std::optional<std::string> Target::path(std::uint64_t address) const {
  // A text may end right before an unreadable page: one vector a page, so that the kernel copies
  // what there is and stops at the first page that it cannot read.
  std::array<char, kPathBytesMax> buffer{};
  iovec local{buffer.data(), buffer.size()};
  std::array<iovec, 2> remote{};
  const std::size_t first = std::min(kPageBytes - address % kPageBytes, buffer.size());
  // NOLINTBEGIN(performance-no-int-to-ptr)
  remote[0] = {reinterpret_cast<void*>(address), first};
  remote[1] = {reinterpret_cast<void*>(address + first), buffer.size() - first};
  // NOLINTEND(performance-no-int-to-ptr)
  const ssize_t read = ::process_vm_readv(thread_, &local, 1, remote.data(), remote.size(), 0);
  if (read <= 0) return std::nullopt;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(read));
  const std::size_t end = text.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(text.substr(0, end));
}

std::string Target::working_dir() const { return link_text(folder_ + "/cwd"); }

std::string Target::descriptor(int fd) const {
  return link_text(folder_ + "/fd/" + std::to_string(fd));
}

std::optional<int> Target::flags(int fd) const {
  const auto info = read_file(folder_ + "/fdinfo/" + std::to_string(fd), kDescriptorInfoMax);
  if (!info) return std::nullopt;
  constexpr std::string_view kName = "flags:\t";
  const std::size_t at = info->find(kName);
  if (at == std::string::npos) return std::nullopt;
  int flags = 0;
  const auto [end, error] =
      std::from_chars(info->data() + at + kName.size(), info->data() + info->size(), flags, 8);
  if (error != std::errc()) return std::nullopt;
  return flags;
}

std::optional<std::uint64_t> Target::socket_inode(int fd) const {
  const std::string text = descriptor(fd);
  constexpr std::string_view kStart = "socket:[";
  if (!text.starts_with(kStart)) return std::nullopt;
  std::uint64_t inode = 0;
  const auto [end, error] =
      std::from_chars(text.data() + kStart.size(), text.data() + text.size(), inode);
  if (error != std::errc()) return std::nullopt;
  return inode;
}

std::optional<std::string> Target::absolute(int dirfd, const std::string& path) const {
  if (path.starts_with('/')) return normal_path(path);
  const std::string folder = dirfd == AT_FDCWD ? working_dir() : descriptor(dirfd);
  if (!folder.starts_with('/')) return std::nullopt;
  return normal_path(folder + "/" + path);
}

std::string descriptor_path(int fd) { return link_text("/proc/self/fd/" + std::to_string(fd)); }

std::string normal_path(std::string_view path) {
  std::string normal;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      normal.resize(normal.empty() ? 0 : normal.find_last_of('/'));
    } else {
      normal += '/';
      normal += name;
    }
  }
  return normal.empty() ? "/" : normal;
}

}  // namespace fathom::sandbox
