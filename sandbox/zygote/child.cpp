#include "sandbox/zygote/cell.hpp"
#include "sandbox/zygote/self_check.hpp"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace fathom::sandbox::zygote {
namespace {

using wire::Stage;

constexpr std::size_t kPathBytesMax = 4096;

// The operands of a Launch's body, kept where exec wants them.
struct Command {
  const char* working_dir = "";
  const char* argv[wire::kArgumentsMax + 1] = {};
  const char* envp[wire::kArgumentsMax + 1] = {};
};
Command command;  // too large for a stack; one a process

bool read_texts(wire::PlanReader& body, const char** into) {
  const std::uint32_t count = body.u32();
  if (count > wire::kArgumentsMax) return false;
  for (std::uint32_t i = 0; i < count; ++i) into[i] = body.text();
  into[count] = nullptr;
  return body.ok();
}

Failure set_limits(wire::PlanReader& body) {
  const std::uint32_t count = body.u32();
  for (std::uint32_t i = 0; i < count && body.ok(); ++i) {
    const std::uint32_t resource = body.u32();
    const std::uint64_t value = body.u64();
    rlimit limit{value, value};
    // A hard limit below ours is the outside's wish: the lower one holds.
    rlimit old{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &old) == 0 && old.rlim_max < value)
      limit = {old.rlim_max, old.rlim_max};
    if (::setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0)
      return failed(Stage::limits, resource);
  }
  ::umask(static_cast<mode_t>(body.u32()));
  if (!body.ok() || !body.at_end()) return {Stage::plan, EINVAL, 0};
  return {};
}

// A pseudo-terminal of the session's own devpts; its master goes to the runtime.
Failure open_terminal(int cell, int* stdio) {
  const int master = ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return failed(Stage::terminal);
  const int unlocked = 0;
  if (::ioctl(master, TIOCSPTLCK, &unlocked) != 0) return failed(Stage::terminal, 1);
  const int slave = ::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return failed(Stage::terminal, 2);
  if (::ioctl(slave, TIOCSCTTY, 0) != 0) return failed(Stage::terminal, 3);
  wire::Notify note;
  note.terminal = 1;
  if (!send_message(cell, &note, sizeof note, &master, 1)) return failed(Stage::terminal, 4);
  ::close(master);
  stdio[0] = stdio[1] = stdio[2] = slave;
  return {};
}

Failure install_filter(const Filter& filter, bool notify, int handshake) {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size / sizeof(sock_filter));
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter.bytes));
  const unsigned long base = notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  long fd = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      notify ? base | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : base, &program);
  if (fd < 0 && errno == EINVAL && notify)  // before Linux 5.19
    fd = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, base, &program);
  if (fd < 0) return failed(Stage::seccomp);
  if (!notify) return {};
  // From here on calls may wait for the runtime. The init sends the listener: our own sendmsg might
  // be one of those calls.
  const auto listener = static_cast<std::int32_t>(fd);
  char go = 0;
  if (::write(handshake, &listener, sizeof listener) != sizeof listener ||
      ::read(handshake, &go, 1) != 1 || go != 1)
    return failed(Stage::seccomp, 1);
  if (::syscall(SYS_unshare, CLONE_FILES) != 0) return failed(Stage::seccomp, 2);
  if (::write(handshake, &go, 1) != 1) return failed(Stage::seccomp, 3);
  ::close(static_cast<int>(fd));  // a command must not answer its own calls
  return {};
}

bool exists_on(const char* folder, std::size_t folder_size, const char* name, char* path) {
  std::size_t size = 0;
  const std::size_t name_size = ::strlen(name);
  if (folder_size == 0 || folder_size + name_size + 2 > kPathBytesMax) return false;
  ::memcpy(path, folder, folder_size);
  size = folder_size;
  path[size++] = '/';
  ::memcpy(path + size, name, name_size + 1);
  return true;
}

// As execvp(3), with the PATH of the command's own environment.
Failure execute() {
  const char* name = command.argv[0];
  auto** argv = const_cast<char**>(command.argv);
  auto** envp = const_cast<char**>(command.envp);
  if (name == nullptr || *name == '\0') return {Stage::exec, ENOENT, 0};
  if (::strchr(name, '/') != nullptr) {
    ::execve(name, argv, envp);
    return failed(Stage::exec);
  }
  const char* path = "/usr/local/bin:/usr/bin:/bin";
  for (const char** entry = command.envp; *entry != nullptr; ++entry)
    if (::strncmp(*entry, "PATH=", 5) == 0) path = *entry + 5;
  int error = ENOENT;
  static char candidate[kPathBytesMax];
  while (*path != '\0') {
    const char* end = ::strchr(path, ':');
    const std::size_t size = end != nullptr ? static_cast<std::size_t>(end - path) : ::strlen(path);
    if (exists_on(path, size, name, candidate)) {
      ::execve(candidate, argv, envp);
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
    }
    path += size + (end != nullptr ? 1 : 0);
  }
  return {Stage::exec, error, 0};
}

Failure restrict_and_execute(const CellContext& context, const wire::Launch& launch,
                             wire::PlanReader& body, const int* given, int cell, int handshake) {
  command.working_dir = body.text();
  if (!read_texts(body, command.argv) || !read_texts(body, command.envp) ||
      launch.filter >= context.filter_count)
    return {Stage::plan, EINVAL, 0};
  ::setsid();
  int stdio[3] = {given[0], given[1], given[2]};
  if ((launch.flags & wire::kLaunchTerminal) != 0)
    if (Failure failure = open_terminal(cell, stdio)) return failure;
  if (Failure failure = set_limits(body)) return failure;
  if (::chdir(command.working_dir) != 0) return failed(Stage::working_dir);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed(Stage::capabilities, 1);
  if (Failure failure = drop_capabilities()) return failure;
  if (context.ruleset >= 0 && ::syscall(SYS_landlock_restrict_self, context.ruleset, 0) != 0)
    return failed(Stage::restrict_self);
  const bool notify = (launch.flags & wire::kLaunchNotify) != 0;
  if (Failure failure = install_filter(context.filters[launch.filter], notify, handshake))
    return failure;
  for (int i = 0; i < 3; ++i)
    if (::dup2(stdio[i], i) < 0) return failed(Stage::terminal, 5);
  if (::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) != 0)
    return failed(Stage::exec, 1);
  if ((launch.flags & wire::kLaunchSelfCheck) != 0) ::_exit(self_check(command.argv));
  return execute();
}

}  // namespace

void forbid_capabilities() {
  // Where these calls are refused (an ordinary user without namespaces) there is nothing to forbid,
  // and no_new_privs keeps exec from granting any.
  ::prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED);
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability)
    ::prctl(PR_CAPBSET_DROP, capability);
}

Failure drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return failed(Stage::capabilities);
  return {};
}

void run_child(const CellContext& context, const wire::Launch& launch, wire::PlanReader& body,
               const int* stdio, int cell, int handshake) {
  const Failure failure = restrict_and_execute(context, launch, body, stdio, cell, handshake);
  wire::Failed answer;
  answer.stage = failure.stage;
  answer.error = failure.error;
  answer.detail = failure.detail;
  send_message(cell, &answer, sizeof answer, nullptr, 0);
  ::_exit(127);
}

}  // namespace fathom::sandbox::zygote
