// Target: what can be read of a process whose call waits. It goes on running while we look (its
// other threads, or whoever shares its memory): every answer is a copy, taken once.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::sandbox {

class Target {
 public:
  explicit Target(pid_t thread);

  /// `size` bytes at `address`; nothing when they cannot be read.
  [[nodiscard]] std::optional<std::string> bytes(std::uint64_t address, std::size_t size) const;

  /// The text up to its NUL at `address`, at most PATH_MAX bytes of it; nothing when it has no end
  /// by then or cannot be read.
  [[nodiscard]] std::optional<std::string> path(std::uint64_t address) const;

  /// Where /proc says that the working folder or a descriptor is: a path as the target sees it, or
  /// "socket:[123]" and the like. "" when it cannot be read.
  [[nodiscard]] std::string working_dir() const;
  [[nodiscard]] std::string descriptor(int fd) const;

  /// The flags of an open descriptor (O_NONBLOCK, O_CLOEXEC and the rest).
  [[nodiscard]] std::optional<int> flags(int fd) const;

  /// The inode of a socket; nothing when the descriptor is another thing.
  [[nodiscard]] std::optional<std::uint64_t> socket_inode(int fd) const;

  /// The absolute path that `path` means relative to descriptor `dirfd` (or AT_FDCWD), made normal
  /// as text: links on the way are not followed. Nothing when the folder cannot be read.
  [[nodiscard]] std::optional<std::string> absolute(int dirfd, const std::string& path) const;

  /// "/proc/123".
  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  pid_t thread_;
  std::string folder_;
};

/// Where /proc says that a descriptor of ours leads; "" when it does not say.
std::string descriptor_path(int fd);

/// Without ".", ".." and "//"; `path` is absolute.
std::string normal_path(std::string_view path);

}  // namespace fathom::sandbox
