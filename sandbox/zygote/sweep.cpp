#include "sandbox/zygote/cell.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>

namespace fathom::sandbox::zygote {
namespace {

constexpr std::size_t kDescendantsMax = 8192;  // of one sweep; what is left is met by the next
constexpr int kStopPassesMax = 64;             // until a pass finds nobody new
constexpr int kReapMs = 1;

pid_t found[kDescendantsMax];

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
        if (count < kDescendantsMax) found[count++] = static_cast<pid_t>(number);
        number = 0;
        in_number = false;
      }
    }
  ::close(fd);
  return count;
}

std::size_t find_descendants() {
  std::size_t count = append_children(::getpid(), 0);
  for (std::size_t i = 0; i < count; ++i) count = append_children(found[i], count);
  return count;
}

}  // namespace

void sweep_children() {
  for (;;) {
    std::size_t before = 0;
    for (int pass = 0; pass < kStopPassesMax; ++pass) {
      const std::size_t count = find_descendants();
      for (std::size_t i = 0; i < count; ++i) ::kill(found[i], SIGSTOP);
      if (count == before) break;
      before = count;
    }
    const std::size_t count = find_descendants();
    for (std::size_t i = 0; i < count; ++i) ::kill(found[i], SIGKILL);
    for (;;) {
      const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
      if (pid < 0 && errno == ECHILD) return;
      if (pid == 0) break;
    }
    ::poll(nullptr, 0, kReapMs);
  }
}

}  // namespace fathom::sandbox::zygote
