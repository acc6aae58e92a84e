// Probes of processes: what can be seen, signalled, traced and gained.
#include "tests/sandbox/probes/probe.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fathom::probes {
namespace {

// The process that an argument names: a number, or "parent".
pid_t target(const Arguments& a) {
  return std::strcmp(a.text(0), "parent") == 0 ? ::getppid() : static_cast<pid_t>(a.number(0));
}

int send_signal(const Arguments& a) {
  return answer_of(::kill(target(a), static_cast<int>(a.number(1))));
}

int open_pidfd(const Arguments& a) { return answer_of(::syscall(SYS_pidfd_open, target(a), 0)); }

int attach(const Arguments& a) {
  const pid_t pid = target(a);
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return errno;
  ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  return 0;
}

// An address that nobody has mapped: where reading is granted, EFAULT says so.
int read_memory(const Arguments& a) {
  char byte = 0;
  const iovec ours{&byte, 1};
  const iovec theirs{reinterpret_cast<void*>(8), 1};
  return answer_of(::process_vm_readv(target(a), &ours, 1, &theirs, 1, 0));
}

int open_of_process(const Arguments& a) {
  char path[256];
  std::snprintf(path, sizeof path, "/proc/%d/%s", target(a), a.text(1));
  const int fd = ::open(path, O_RDONLY);
  char byte = 0;
  return fd < 0 ? errno : answer_of(::read(fd, &byte, 1));
}

int write_memory_file(const Arguments& a) {
  char path[256];
  std::snprintf(path, sizeof path, "/proc/%d/mem", target(a));
  return answer_of(::open(path, O_RDWR));
}

int link_of_process(const Arguments& a) {
  char path[256];
  char leads_to[512] = {};
  std::snprintf(path, sizeof path, "/proc/%d/%s", target(a), a.text(1));
  return answer_of(::readlink(path, leads_to, sizeof leads_to - 1));
}

// How many processes /proc shows: "few" in a namespace of one's own.
int listed(const Arguments& a) {
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return errno;
  long count = 0;
  while (const dirent* entry = ::readdir(proc))
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') ++count;
  return print(count <= a.number(0) ? "few" : "many");
}

int steal_descriptor(const Arguments& a) {
  const long pidfd = ::syscall(SYS_pidfd_open, target(a), 0);
  if (pidfd < 0) return errno;
  return answer_of(::syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}

// Signals that would end or stop the init of the namespace; "ok" when we still run afterwards.
int attack_init(const Arguments&) {
  for (int signal : {SIGSTOP, SIGKILL, SIGTERM, SIGSEGV, SIGINT})
    if (::kill(1, signal) != 0 && errno != EPERM) return errno;
  ::poll(nullptr, 0, 1);  // signals that were taken are acted upon by now
  return 0;
}

int kill_all(const Arguments&) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  if (::kill(-1, SIGKILL) != 0) return errno;
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 0 : EPROTO;
}

int trace_child(const Arguments&) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(errno);
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) < 0) return errno;
  if (!WIFSTOPPED(status)) return WIFEXITED(status) ? WEXITSTATUS(status) : EPROTO;
  const long word = ::ptrace(PTRACE_PEEKTEXT, child, &trace_child, nullptr);
  if (word == -1 && errno != 0) return errno;
  ::ptrace(PTRACE_CONT, child, nullptr, nullptr);
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : EPROTO;
}

// Somebody else's limits: a processor limit of nothing kills.
int limit_other(const Arguments& a) {
  rlimit64 old{};
  if (::syscall(SYS_prlimit64, target(a), RLIMIT_CORE, nullptr, &old) != 0) return errno;
  return answer_of(::syscall(SYS_prlimit64, target(a), RLIMIT_CORE, &old, nullptr));
}

// Lets a process be as nice as it is, which takes the right to make it nicer.
int hinder(const Arguments& a) {
  errno = 0;
  const int nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(target(a)));
  if (errno != 0) return errno;
  return answer_of(::setpriority(PRIO_PROCESS, static_cast<id_t>(target(a)), nice));
}

// The value of one line of /proc/self/status.
int status(const Arguments& a) {
  FILE* file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return errno;
  char line[512];
  const std::size_t size = std::strlen(a.text(0));
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, a.text(0), size) != 0 || line[size] != ':') continue;
    line[std::strcspn(line, "\n")] = '\0';
    return print(line + size + 1 + std::strspn(line + size + 1, "\t "));
  }
  return ENOENT;
}

int identity(const Arguments&) { return print(::geteuid() != ::getuid() ? "gained" : "same"); }

// Runs itself from PATH, which should give it another id by its mode.
int identity_after_exec(const Arguments& a) {
  ::execl(a.text(0), a.text(0), "identity", nullptr);
  return errno;
}

int regain_capabilities(const Arguments&) {
  return answer_of(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 10, 0, 0));
}

int secure_bits(const Arguments&) { return answer_of(::prctl(PR_SET_SECUREBITS, 0)); }

int raise_own_kill_score(const Arguments& a) {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY);
  return fd < 0 ? errno : answer_of(::write(fd, a.text(0), std::strlen(a.text(0))));
}

// Terminal attacks on a terminal of its own: what is refused there is refused on any.
int on_terminal(const Arguments& a) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) return errno;
  ::setsid();
  char name[64];
  if (::ptsname_r(master, name, sizeof name) != 0) return errno;
  const int terminal = ::open(name, O_RDWR);
  if (terminal < 0) return errno;
  if (::ioctl(terminal, TIOCSCTTY, 0) != 0) return errno;
  char byte = 'x';
  int discipline = 0;
  void* operand = a.number(0) == TIOCSETD ? static_cast<void*>(&discipline) : &byte;
  return answer_of(::ioctl(terminal, static_cast<unsigned long>(a.number(0)), operand));
}

int own_terminal(const Arguments&) { return answer_of(::open("/dev/tty", O_RDWR)); }

int exec_from_memory(const Arguments&) {
  const int file = ::memfd_create("probe", 0);
  const int self = ::open("/proc/self/exe", O_RDONLY);
  if (file < 0 || self < 0) return errno;
  while (true) {
    const long moved = ::copy_file_range(self, nullptr, file, nullptr, 1 << 20, 0);
    char buffer[65536];
    const long size = moved > 0 ? moved : ::read(self, buffer, sizeof buffer);
    if (size <= 0) break;
    if (moved <= 0 && ::write(file, buffer, static_cast<std::size_t>(size)) != size) return errno;
  }
  char* argv[] = {const_cast<char*>("probe"), const_cast<char*>("status"),
                  const_cast<char*>("NoNewPrivs"), nullptr};
  ::execveat(file, "", argv, environ, AT_EMPTY_PATH);
  return errno;
}

// A System V segment that somebody else made.
int attach_segment(const Arguments& a) {
  const int segment = ::shmget(static_cast<key_t>(a.number(0)), 1, 0);
  return segment < 0 ? errno : print("found");
}

constexpr Probe kProbes[] = {{"signal", send_signal},
                             {"pidfd_open", open_pidfd},
                             {"ptrace", attach},
                             {"read_memory", read_memory},
                             {"open_of_process", open_of_process},
                             {"write_memory_file", write_memory_file},
                             {"link_of_process", link_of_process},
                             {"listed", listed},
                             {"steal_descriptor", steal_descriptor},
                             {"attack_init", attack_init},
                             {"kill_all", kill_all},
                             {"trace_child", trace_child},
                             {"limit_other", limit_other},
                             {"hinder", hinder},
                             {"status", status},
                             {"identity", identity},
                             {"identity_after_exec", identity_after_exec},
                             {"regain_capabilities", regain_capabilities},
                             {"secure_bits", secure_bits},
                             {"raise_own_kill_score", raise_own_kill_score},
                             {"on_terminal", on_terminal},
                             {"own_terminal", own_terminal},
                             {"exec_from_memory", exec_from_memory},
                             {"attach_segment", attach_segment}};

}  // namespace

std::span<const Probe> process_probes() { return kProbes; }

}  // namespace fathom::probes
