// Probes that use up what there is, and the victim: a process outside the sandbox that probes aim
// at.
#include "tests/sandbox/probes/probe.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fathom::probes {
namespace {

constexpr std::size_t kMebibyte = 1UL << 20;

int use_memory(const Arguments& a) {
  const std::size_t size = static_cast<std::size_t>(a.number(0)) * kMebibyte;
  auto* bytes = static_cast<char*>(
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (bytes == MAP_FAILED) return errno;
  for (std::size_t at = 0; at < size; at += 4096) bytes[at] = 1;
  if (a.number(1) == 0) return 0;
  for (;;) ::pause();
}

// Memory that no process of the sandbox has mapped.
int use_memory_file(const Arguments& a) {
  const int fd = ::memfd_create("probe", 0);
  return fd < 0 ? errno : answer_of(::fallocate(fd, 0, 0, a.number(0) * (1L << 20)));
}

int fill_file(const Arguments& a) {
  const int fd = ::open(a.text(0), O_WRONLY | O_CREAT, 0644);
  if (fd < 0) return errno;
  static char block[kMebibyte];
  for (long left = a.number(1); left > 0; --left)
    if (::write(fd, block, sizeof block) < 0) return errno;
  return 0;
}

int make_sparse(const Arguments& a) {
  ::signal(SIGXFSZ, SIG_IGN);
  const int fd = ::open(a.text(0), O_WRONLY | O_CREAT, 0644);
  return fd < 0 ? errno : answer_of(::ftruncate(fd, 1L << 40));
}

int make_files(const Arguments& a) {
  for (long i = 0; i < a.number(1); ++i) {
    char path[512];
    std::snprintf(path, sizeof path, "%s/probe-%ld", a.text(0), i);
    const int fd = ::open(path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0) return errno;
    ::close(fd);
  }
  return 0;
}

int nest_folders(const Arguments& a) {
  if (::chdir(a.text(0)) != 0) return errno;
  for (long i = 0; i < a.number(1); ++i)
    if (::mkdir("d", 0755) != 0 || ::chdir("d") != 0) return errno;
  return 0;
}

// Children that wait, until no more can be had; they end with us.
int fork_until_refused(const Arguments& a) {
  const pid_t parent = ::getpid();
  for (long i = 0; i < a.number(0); ++i) {
    const pid_t child = ::fork();
    if (child < 0) return errno;
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      while (::getppid() == parent) ::pause();
      ::_exit(0);
    }
  }
  return 0;
}

int open_until_refused(const Arguments& a) {
  for (long i = 0; i < a.number(0); ++i)
    if (::open("/dev/null", O_RDONLY) < 0) return errno;
  return 0;
}

int raise_limit(const Arguments& a) {
  const auto which = static_cast<__rlimit_resource>(a.number(0));
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) return errno;
  limit.rlim_cur = limit.rlim_max = limit.rlim_max + 1;
  return answer_of(::setrlimit(which, &limit));
}

int lock_memory(const Arguments& a) {
  const std::size_t size = static_cast<std::size_t>(a.number(0)) * kMebibyte;
  void* bytes = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return bytes == MAP_FAILED ? errno : answer_of(::mlock(bytes, size));
}

// COUNT daemons that left the session, ignore every signal they can and hold our output open.
int leave_daemons(const Arguments& a) {
  for (long i = 0; i < a.number(0); ++i) {
    const pid_t child = ::fork();
    if (child < 0) return errno;
    if (child > 0) continue;
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_IGN);
    for (;;) ::pause();
  }
  while (::wait(nullptr) > 0) continue;
  std::printf("ok\n");
  std::fflush(stdout);
  if (a.number(1) == 0) return kPrinted;
  for (;;) ::pause();
}

// Forks from every child, so that the tree grows faster than it can be listed one by one.
int bomb(const Arguments&) {
  for (;;) ::fork();
}

int open_listener(int family, const sockaddr* at, socklen_t size) {
  const int fd = ::socket(family, SOCK_STREAM, 0);
  if (fd < 0 || ::bind(fd, at, size) != 0 || ::listen(fd, 16) != 0) return -1;
  return fd;
}

// What is worth attacking: listens on loopback (or on every address, when asked), at FOLDER/socket
// and at an abstract name, has a System V segment, and prints "port abstract-name key" when all of
// it stands.
int be_victim(const Arguments& a) {
  sockaddr_in tcp{};
  tcp.sin_family = AF_INET;
  tcp.sin_addr.s_addr = htonl(a.number(1) != 0 ? INADDR_ANY : INADDR_LOOPBACK);
  const int port = open_listener(AF_INET, reinterpret_cast<sockaddr*>(&tcp), sizeof tcp);
  socklen_t size = sizeof tcp;
  ::getsockname(port, reinterpret_cast<sockaddr*>(&tcp), &size);
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  std::snprintf(path.sun_path, sizeof path.sun_path, "%s/socket", a.text(0));
  const int by_path = open_listener(AF_UNIX, reinterpret_cast<sockaddr*>(&path), sizeof path);
  ::chmod(path.sun_path, 0777);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const int length =
      std::snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "fathom-victim-%d", ::getpid());
  const int by_name = open_listener(
      AF_UNIX, reinterpret_cast<sockaddr*>(&name),
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length)));
  const int segment = ::shmget(::getpid(), 4096, IPC_CREAT | 0600);
  if (port < 0 || by_path < 0 || by_name < 0 || segment < 0) return errno;
  std::printf("%d @%s %d\n", ntohs(tcp.sin_port), name.sun_path + 1, ::getpid());
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) continue;  // until the test closes its end
  return ::shmctl(segment, IPC_RMID, nullptr) == 0 ? kPrinted : errno;
}

constexpr Probe kProbes[] = {{"use_memory", use_memory},
                             {"use_memory_file", use_memory_file},
                             {"fill_file", fill_file},
                             {"make_sparse", make_sparse},
                             {"make_files", make_files},
                             {"nest_folders", nest_folders},
                             {"fork_until_refused", fork_until_refused},
                             {"open_until_refused", open_until_refused},
                             {"raise_limit", raise_limit},
                             {"lock_memory", lock_memory},
                             {"leave_daemons", leave_daemons},
                             {"bomb", bomb},
                             {"victim", be_victim}};

}  // namespace

std::span<const Probe> resource_probes() { return kProbes; }

}  // namespace fathom::probes
