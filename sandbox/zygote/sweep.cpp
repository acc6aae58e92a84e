#include "sandbox/zygote/cell.hpp"
#include "sandbox/zygote/proc_stat.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>

namespace fathom::sandbox::zygote {
namespace {

constexpr std::size_t kDescendantsMax = 8192;  // of one sweep; what is left is met by the next
constexpr int kStopPassesMax = 64;             // until a pass finds nobody new
constexpr int kReapMs = 1;

struct Found {
  pid_t pid;
  pid_t parent;  // whose child it was when it was found
};
Found found[kDescendantsMax];

// Appends the children of `pid`, from /proc/PID/task/PID/children. Threads that fork are covered by
// their process's main thread only after it ends, so every pass reads anew.
std::size_t append_children(pid_t pid, std::size_t count) {
  SmallText path;
  path.add("/proc/").add(static_cast<std::uint64_t>(pid)).add("/task/");
  path.add(static_cast<std::uint64_t>(pid)).add("/children");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return count;
  char text[4096];
  std::uint64_t number = 0;
  bool in_number = false;
  for (long size = 0; (size = ::read(fd, text, sizeof text)) > 0;)
    for (long i = 0; i < size; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        number = number * 10 + static_cast<std::uint64_t>(text[i] - '0');
        in_number = true;
      } else if (in_number) {
        if (count < kDescendantsMax) found[count++] = {static_cast<pid_t>(number), pid};
        number = 0;
        in_number = false;
      }
    }
  ::close(fd);
  return count;
}

std::size_t find_descendants() {
  std::size_t count = append_children(::getpid(), 0);
  for (std::size_t i = 0; i < count; ++i) count = append_children(found[i].pid, count);
  return count;
}

pid_t parent_of(pid_t pid) {
  SmallText path;
  path.add("/proc/").add(static_cast<std::uint64_t>(pid)).add("/stat");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[512];
  const long size = ::read(fd, text, sizeof text);
  ::close(fd);
  return size <= 0 ? 0 : static_cast<pid_t>(parent_in_stat(text, static_cast<std::size_t>(size)));
}

// A number that was read may be another process's by now, one outside of the sandbox even. So the
// process is held first, by its pidfd, and then looked at again: whoever has the number and was
// born to the same parent, or has become ours, is of the tree. Once it has ended, what the pidfd
// holds is nobody. Who was handed to a subreaper in the tree is met by the next pass.
void signal_found(const Found& who, int signal) {
  const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, who.pid, 0));
  if (fd < 0 && errno == ESRCH) return;
  const pid_t parent = parent_of(who.pid);
  if (parent == who.parent || parent == ::getpid()) {
    if (fd >= 0)
      ::syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0);
    else
      ::kill(who.pid, signal);  // out of descriptors, or an outer filter refuses pidfds
  }
  if (fd >= 0) ::close(fd);
}

}  // namespace

void sweep_children() {
  for (;;) {
    std::size_t before = 0;
    for (int pass = 0; pass < kStopPassesMax; ++pass) {
      const std::size_t count = find_descendants();
      for (std::size_t i = 0; i < count; ++i) signal_found(found[i], SIGSTOP);
      if (count == before) break;
      before = count;
    }
    const std::size_t count = find_descendants();
    for (std::size_t i = 0; i < count; ++i) signal_found(found[i], SIGKILL);
    for (;;) {
      const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
      if (pid < 0 && errno == ECHILD) return;
      if (pid == 0) break;
    }
    ::poll(nullptr, 0, kReapMs);
  }
}

}  // namespace fathom::sandbox::zygote
