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

constexpr std::size_t kStdio = 3;

struct Request {
  wire::Launch launch;
  wire::PlanReader body;
  int stdio[kStdio] = {-1, -1, -1};
  bool ok = false;
};

// Waits for the one Launch of this cell. Not ok at the end of the runtime.
Request receive_launch(int cell) {
  static char buffer[wire::kMessageBytesMax];
  Request request;
  const Received message = receive_message(cell, buffer, sizeof buffer);
  if (message.size < static_cast<long>(sizeof request.launch)) return request;
  std::memcpy(&request.launch, buffer, sizeof request.launch);
  const bool outside = (request.launch.flags & wire::kLaunchInMemfd) != 0;
  const std::size_t first = outside ? 1 : 0;
  if (request.launch.kind != wire::Kind::launch || message.count != first + kStdio) return request;
  for (std::size_t i = 0; i < kStdio; ++i) request.stdio[i] = message.fds[first + i];
  if (outside) {
    const MappedPlan body = map_plan(message.fds[0]);
    ::close(message.fds[0]);
    request.body = wire::PlanReader(body.bytes, body.size);
  } else {
    request.body = wire::PlanReader(buffer + sizeof request.launch,
                                    static_cast<std::size_t>(message.size) - sizeof request.launch);
  }
  request.ok = true;
  return request;
}

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

Failure install_filter(const Filter& filter, bool notify, int cell) {
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
  // From here on calls may wait for the runtime, which has no listener yet: nothing below may be
  // one of them. sendmsg is not (FilterOptions::notify says when it would be), nor are dup2,
  // close_range and execve.
  const auto listener = static_cast<int>(fd);
  const wire::Notify note;
  if (!send_message(cell, &note, sizeof note, &listener, 1)) return failed(Stage::seccomp, 1);
  ::close(listener);
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

// What does not depend on the command, so that a prepared cell has it behind it: the filter alone
// takes as long as a fork.
Failure restrict(const CellContext& context, const wire::Prepare& request, int cell) {
  if (request.filter >= context.filter_count) return {Stage::plan, EINVAL, 1};
  ::setsid();
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed(Stage::capabilities, 1);
  if (Failure failure = drop_capabilities()) return failure;
  if (context.ruleset >= 0 && ::syscall(SYS_landlock_restrict_self, context.ruleset, 0) != 0)
    return failed(Stage::restrict_self);
  return install_filter(context.filters[request.filter], request.notify != 0, cell);
}

Failure become_command(Request& request, int cell) {
  command.working_dir = request.body.text();
  if (!read_texts(request.body, command.argv) || !read_texts(request.body, command.envp))
    return {Stage::plan, EINVAL, 0};
  int* stdio = request.stdio;
  if ((request.launch.flags & wire::kLaunchTerminal) != 0)
    if (Failure failure = open_terminal(cell, stdio)) return failure;
  if (Failure failure = set_limits(request.body)) return failure;
  if (::chdir(command.working_dir) != 0) return failed(Stage::working_dir);
  for (int i = 0; i < 3; ++i)
    if (::dup2(stdio[i], i) < 0) return failed(Stage::terminal, 5);
  if (::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) != 0)
    return failed(Stage::exec, 1);
  if ((request.launch.flags & wire::kLaunchSelfCheck) != 0) ::_exit(self_check(command.argv));
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

void run_child(const CellContext& context, const wire::Prepare& prepare, int cell) {
  Failure failure = restrict(context, prepare, cell);
  if (!failure) {
    Request request = receive_launch(cell);
    if (!request.ok) ::_exit(1);
    failure = become_command(request, cell);
  }
  wire::Failed answer;
  answer.stage = failure.stage;
  answer.error = failure.error;
  answer.detail = failure.detail;
  send_message(cell, &answer, sizeof answer, nullptr, 0);
  ::_exit(127);
}

}  // namespace fathom::sandbox::zygote
