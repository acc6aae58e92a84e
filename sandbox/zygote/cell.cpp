#include "sandbox/zygote/cell.hpp"

#include "sandbox/zygote/mounts.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>

namespace fathom::sandbox::zygote {
namespace {

using wire::Stage;

constexpr std::size_t kStdio = 3;

void answer_failure(int cell, const Failure& failure) {
  wire::Failed answer;
  answer.stage = failure.stage;
  answer.error = failure.error;
  answer.detail = failure.detail;
  send_message(cell, &answer, sizeof answer, nullptr, 0);
}

// A read-only bind of a path on itself. What this kernel lacks needs no cover.
bool cover_read_only(const char* path) {
  const int at = open_path(path);
  if (at < 0) return errno == ENOENT;
  const int tree =
      open_tree(at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
  const bool done = tree >= 0 && set_mount_attributes(tree, MOUNT_ATTR_RDONLY, AT_RECURSIVE) == 0 &&
                    move_mount(tree, at) == 0;
  const int error = errno;
  if (tree >= 0) ::close(tree);
  ::close(at);
  errno = error;
  return done;
}

Failure mount_cell(const CellContext& context, int extra_plan) {
  if ((context.flags & wire::kCellMounts) == 0) return {};
  if (context.in_pid_namespace &&
      !mount_new("proc", "/proc", "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC))
    return failed(Stage::proc);
  for (std::size_t i = 0; i < context.proc_path_count; ++i)
    if (!cover_read_only(context.proc_paths[i]))
      return failed(Stage::proc, static_cast<std::uint32_t>(i + 1));
  if (extra_plan < 0) return {};
  const MappedPlan extra = map_plan(extra_plan);
  if (extra.bytes == nullptr) return {Stage::plan, EINVAL, 0};
  wire::PlanReader plan(extra.bytes, extra.size);
  static constinit Slots slots;
  Failure failure = perform_mounts(plan, slots, nullptr, 0);
  if (failure.stage == Stage::mounts) failure.stage = Stage::extra_mounts;
  ::munmap(const_cast<char*>(extra.bytes), extra.size);
  return failure;
}

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

// Reads from the child, unless it ends first.
bool read_from_child(int handshake, int child, void* into, std::size_t size) {
  pollfd watched[2] = {{handshake, POLLIN, 0}, {child, POLLIN, 0}};
  while (::poll(watched, 2, -1) < 0 && errno == EINTR) continue;
  if ((watched[0].revents & POLLIN) == 0) return false;
  return ::read(handshake, into, size) == static_cast<long>(size);
}

// Takes the filter's listener out of the table we share with the child and sends it to the runtime.
// In the end the child has a table of its own: what we close from then on is ours alone.
void pass_listener(int cell, int handshake, int child) {
  std::int32_t listener = -1;
  if (!read_from_child(handshake, child, &listener, sizeof listener)) return;
  wire::Notify note;
  char go = send_message(cell, &note, sizeof note, &listener, 1) ? 1 : 0;
  if (::write(handshake, &go, 1) == 1) read_from_child(handshake, child, &go, 1);
  ::close(listener);
}

pid_t start_child(const CellContext& context, Request& request, int cell) {
  const bool notify = (request.launch.flags & wire::kLaunchNotify) != 0;
  int handshake[2] = {-1, -1};
  if (notify && ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, handshake) != 0) return -1;
  int pidfd = -1;
  const pid_t child = clone_process(notify ? CLONE_FILES : 0, notify ? &pidfd : nullptr);
  if (child == 0)
    run_child(context, request.launch, request.body, request.stdio, cell, handshake[1]);
  if (child > 0 && notify) pass_listener(cell, handshake[0], pidfd);
  if (pidfd >= 0) ::close(pidfd);
  if (notify) close_all(handshake, 2);
  close_all(request.stdio, kStdio);
  return child;
}

// Reaps what has ended. Returns whether anything is left.
bool reap_ended() {
  for (;;) {
    const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
    if (pid == 0) return true;
    if (pid < 0 && errno == ECHILD) return false;
  }
}

void report(int cell, int status, const rusage& usage, bool left) {
  wire::Exited exited;
  exited.status = status;
  exited.left = left ? 1 : 0;
  const auto micros = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(time.tv_usec);
  };
  exited.user_us = micros(usage.ru_utime);
  exited.system_us = micros(usage.ru_stime);
  exited.memory_bytes_max = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  send_message(cell, &exited, sizeof exited, nullptr, 0);
}

// Without a process namespace the runtime's wish to end us is the end of the cell socket, and we
// must sweep ourselves. With one, a SIGKILL to us does it all, and waiting needs no socket.
void wait_for_wish(int cell) {
  pollfd watched{cell, POLLIN, 0};
  constexpr int kLookMs = 20;  // SIGCHLD interrupts the wait sooner
  if (::poll(&watched, 1, kLookMs) > 0) {
    sweep_children();
    ::_exit(0);
  }
}

[[noreturn]] void wait_for_end(const CellContext& context, int cell, pid_t child) {
  const bool sweep = !context.in_pid_namespace;
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t ended = ::wait4(-1, &status, sweep ? WNOHANG : 0, &usage);
    if (ended == 0) {
      wait_for_wish(cell);
    } else if (ended == child) {
      report(cell, status, usage, reap_ended());
    } else if (ended < 0 && errno == ECHILD) {
      ::_exit(0);
    }
  }
}

void ignore_nothing() {
  for (int signal = 1; signal < NSIG; ++signal)
    if (signal != SIGKILL && signal != SIGSTOP) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

void run_cell(const CellContext& context, int cell, int extra_plan) {
  ignore_nothing();
  if (!context.in_pid_namespace) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::signal(SIGCHLD, [](int) {});
  }
  if (const Failure failure = mount_cell(context, extra_plan)) {
    answer_failure(cell, failure);
    ::_exit(1);
  }
  if (extra_plan >= 0) ::close(extra_plan);
  Request request = receive_launch(cell);
  if (!request.ok) ::_exit(1);
  const pid_t child = start_child(context, request, cell);
  if (child < 0) {
    answer_failure(cell, failed(Stage::fork));
    ::_exit(1);
  }
  drop_capabilities();  // as a courtesy to the next reader of /proc: we are not dumpable either way
  wait_for_end(context, cell, child);
}

}  // namespace fathom::sandbox::zygote
