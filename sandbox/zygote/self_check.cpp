#include "sandbox/zygote/self_check.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>

namespace fathom::sandbox::zygote {
namespace {

constexpr int kForksMax = 64;  // the prober's limit is well below

std::uint32_t number(const char* text) {
  std::uint32_t value = 0;
  for (; *text >= '0' && *text <= '9'; ++text)
    value = value * 10 + static_cast<std::uint32_t>(*text - '0');
  return value;
}

bool can_write(const char* path) {
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

// Children wait on a pipe that nobody writes, so that they count until we are done.
bool pids_are_limited() {
  int gate[2];
  if (::pipe2(gate, O_CLOEXEC) != 0) return false;
  bool limited = false;
  int count = 0;
  for (; count < kForksMax && !limited; ++count) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      char byte = 0;
      ::close(gate[1]);
      ::_exit(::read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    limited = pid < 0 && errno == EAGAIN;
  }
  ::close(gate[1]);
  while (::waitpid(-1, nullptr, 0) > 0) continue;
  ::close(gate[0]);
  return limited;
}

bool loopback_works() {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  const bool met = server >= 0 && client >= 0 &&
                   ::bind(server, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 &&
                   ::listen(server, 1) == 0 &&
                   ::getsockname(server, reinterpret_cast<sockaddr*>(&at), &size) == 0 &&
                   ::connect(client, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  if (server >= 0) ::close(server);
  if (client >= 0) ::close(client);
  return met;
}

// A datagram socket's connect looks for a route and sends nothing. 192.0.2.1 is for documentation.
bool has_route_outside() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(9);
  at.sin_addr.s_addr = htonl(0xC0000201);
  const bool routed = ::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  ::close(fd);
  return routed;
}

bool notify_works() {
  errno = 0;
  return ::syscall(SYS_getpgid, 0) == -1 && errno == wire::kCheckNotifyErrno;
}

}  // namespace

int self_check(const char* const* argv) {
  if (argv[1] == nullptr) return 0xff;
  if (argv[2] == nullptr) return notify_works() ? 0 : wire::kCheckNotify;
  const std::uint32_t wanted = number(argv[5]);
  std::uint32_t failed = 0;
  const auto check = [&](std::uint32_t bit, bool (*holds)(const char* const*)) {
    if ((wanted & bit) != 0 && !holds(argv)) failed |= bit;
  };
  check(wire::kCheckWriteOutside, [](const char* const* args) { return !can_write(args[1]); });
  check(wire::kCheckLandlock, [](const char* const* args) { return !can_write(args[2]); });
  check(wire::kCheckWriteInside, [](const char* const* args) { return can_write(args[3]); });
  check(wire::kCheckNesting,
        [](const char* const*) { return ::syscall(SYS_unshare, CLONE_NEWUSER) != 0; });
  check(wire::kCheckPids, [](const char* const*) { return pids_are_limited(); });
  check(wire::kCheckSignals, [](const char* const* args) {
    return ::kill(static_cast<pid_t>(number(args[4])), 0) != 0;
  });
  check(wire::kCheckLoopback, [](const char* const*) { return loopback_works(); });
  check(wire::kCheckNetwork, [](const char* const*) { return !has_route_outside(); });
  return static_cast<int>(failed);
}

}  // namespace fathom::sandbox::zygote
