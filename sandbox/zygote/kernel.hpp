// The system calls the zygote uses that the C library of Debian 12 does not wrap, and the message
// and failure types of its files. Everything here runs in small single-threaded processes between
// fork and exec: no allocation, no exceptions, no locks.
#pragma once

#include "sandbox/zygote/wire.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

namespace fathom::sandbox::zygote {

/// What went wrong and where; converts to true when something did.
struct Failure {
  wire::Stage stage = wire::Stage::none;
  int error = 0;
  std::uint32_t detail = 0;
  explicit operator bool() const { return stage != wire::Stage::none; }
};

inline Failure failed(wire::Stage stage, std::uint32_t detail = 0) {
  return {stage, errno, detail};
}

inline pid_t clone_process(std::uint64_t flags, int* pidfd) {
  clone_args args{};
  args.flags = flags | (pidfd != nullptr ? CLONE_PIDFD : 0);
  args.exit_signal = 17;  // SIGCHLD
  args.pidfd = reinterpret_cast<std::uint64_t>(pidfd);
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

/// An O_PATH descriptor of `path`, which must have no link in any component: recipes hold resolved
/// paths, and one that has become a link since then was put there to mislead us.
inline int open_path(const char* path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  return static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
}

inline int open_tree(int dir, const char* path, unsigned flags) {
  return static_cast<int>(::syscall(SYS_open_tree, dir, path, flags));
}

inline int move_mount(int from, int to) {
  return static_cast<int>(::syscall(SYS_move_mount, from, "", to, "",
                                    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

inline int set_mount_attributes(int fd, std::uint64_t set, unsigned flags, int userns = -1) {
  mount_attr attributes{};
  attributes.attr_set = set;
  if (userns >= 0) attributes.userns_fd = static_cast<std::uint64_t>(userns);
  return static_cast<int>(
      ::syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, &attributes, sizeof attributes));
}

/// Sends one message with descriptors beside it; true on success. EINTR is retried.
bool send_message(int socket, const void* bytes, std::size_t size, const int* fds,
                  std::size_t count);

/// A received message: `size` bytes in the caller's buffer and `count` descriptors, close-on-exec.
struct Received {
  long size = 0;  ///< 0 at the end, -1 on an error or a truncated message
  std::size_t count = 0;
  int fds[wire::kDescriptorsMax];
};
Received receive_message(int socket, void* buffer, std::size_t size);
void close_all(const int* fds, std::size_t count);

/// Writes a small file whole, as /proc/PID/uid_map wants it.
bool write_small_file(const char* path, const char* text, std::size_t size);

/// Appends a decimal number or text to a fixed buffer; what does not fit is dropped and ok() says
/// so.
class SmallText {
 public:
  SmallText& add(const char* text);
  SmallText& add(std::uint64_t number);
  [[nodiscard]] const char* c_str() const { return text_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  char text_[256] = {};
  std::size_t size_ = 0;
  bool ok_ = true;
};

/// A plan received as a memfd, mapped read-only.
struct MappedPlan {
  const char* bytes = nullptr;
  std::size_t size = 0;
};
MappedPlan map_plan(int fd);

}  // namespace fathom::sandbox::zygote
