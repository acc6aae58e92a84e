// The zygote: a small static program, started before the runtime has threads or a heap, from which
// every sandbox is forked. Forking the runtime itself costs 58 ms at 2 GB resident; this process
// stays at about half a megabyte. It has an empty environment, no descriptors but its socket, and
// nothing to read in it.
#include "sandbox/zygote/session.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>

namespace fathom::sandbox::zygote {
namespace {

using wire::Stage;

constexpr int kSocket = 3;  // where the runtime puts our end
constexpr std::size_t kSessionsMax = 256;
constexpr std::size_t kGroupPathBytesMax = 1024;  // of all folders of one session together

// Sessions whose control groups must be removed when their last process is gone.
struct Leftover {
  int pidfd = -1;
  char groups[kGroupPathBytesMax] = {};  // NUL-terminated paths, then an empty one
};
Leftover leftovers[kSessionsMax];

void remove_groups(Leftover& leftover) {
  for (const char* path = leftover.groups; *path != '\0'; path += ::strlen(path) + 1) ::rmdir(path);
  ::close(leftover.pidfd);
  leftover.pidfd = -1;
}

bool remember_groups(const SessionPlan& plan, int pidfd) {
  if (plan.group_count == 0) return true;
  for (Leftover& leftover : leftovers) {
    if (leftover.pidfd >= 0) continue;
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < plan.group_count; ++i) {
      const std::size_t size = ::strlen(plan.groups[i]) + 1;
      if (at + size + 1 > sizeof leftover.groups) return errno = ENAMETOOLONG, false;
      std::memcpy(leftover.groups + at, plan.groups[i], size);
      at += size;
    }
    leftover.groups[at] = '\0';
    leftover.pidfd = ::fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
    return leftover.pidfd >= 0;
  }
  return errno = EAGAIN, false;
}

Failure write_maps(const SessionPlan& plan, pid_t pid) {
  if (plan.identity != wire::Identity::mapped) return {};
  SmallText path;
  SmallText map;
  path.add("/proc/").add(static_cast<std::uint64_t>(pid)).add("/uid_map");
  map.add(plan.inside_uid).add(" ").add(plan.outside_uid).add(" 1");
  if (!write_small_file(path.c_str(), map.c_str(), map.size())) return failed(Stage::id_maps, 1);
  SmallText group_path;
  SmallText group_map;
  group_path.add("/proc/").add(static_cast<std::uint64_t>(pid)).add("/gid_map");
  group_map.add(plan.inside_gid).add(" ").add(plan.outside_gid).add(" 1");
  if (!write_small_file(group_path.c_str(), group_map.c_str(), group_map.size()))
    return failed(Stage::id_maps, 2);
  return {};
}

Failure join_groups(const SessionPlan& plan, pid_t pid) {
  for (std::uint32_t i = 0; i < plan.group_count; ++i) {
    SmallText path;
    SmallText text;
    path.add(plan.groups[i]).add("/cgroup.procs");
    text.add(static_cast<std::uint64_t>(pid));
    if (!path.ok() || !write_small_file(path.c_str(), text.c_str(), text.size()))
      return failed(Stage::cgroup, i);
  }
  return {};
}

// Trees on which the disk's root is shown as the session's id: files made there stay root's. Only
// the zygote can make them, which still stands in the namespace that owns the file system.
Failure clone_idmapped(const SessionPlan& plan, pid_t pid, int* trees) {
  SmallText path;
  path.add("/proc/").add(static_cast<std::uint64_t>(pid)).add("/ns/user");
  const int userns = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (userns < 0) return failed(Stage::idmap);
  Failure failure;
  for (std::uint32_t i = 0; i < plan.idmapped_count && !failure; ++i) {
    const int at = open_path(plan.idmapped[i]);
    trees[i] =
        at < 0
            ? -1
            : open_tree(at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (trees[i] < 0 || set_mount_attributes(trees[i], MOUNT_ATTR_IDMAP, AT_RECURSIVE, userns) != 0)
      failure = failed(Stage::idmap, i);
    if (at >= 0) ::close(at);
  }
  ::close(userns);
  return failure;
}

// What the holder waits for: its maps and groups, then its trees.
Failure release_holder(const SessionPlan& plan, pid_t pid, int sync) {
  if (Failure failure = write_maps(plan, pid)) return failure;
  if (Failure failure = join_groups(plan, pid)) return failure;
  static int trees[kGivenMax];
  for (int& tree : trees) tree = -1;
  if (plan.idmapped_count > 0)
    if (Failure failure = clone_idmapped(plan, pid, trees)) {
      for (const int tree : trees)
        if (tree >= 0) ::close(tree);
      return failure;
    }
  const char go = 1;
  if (!send_message(sync, &go, 1, nullptr, 0)) return failed(Stage::namespaces, 2);
  if (plan.idmapped_count == 0) return {};
  const bool sent = send_message(sync, &go, 1, trees, plan.idmapped_count);
  close_all(trees, plan.idmapped_count);
  return sent ? Failure{} : failed(Stage::idmap, plan.idmapped_count);
}

void forget_all() {
  for (Leftover& leftover : leftovers)
    if (leftover.pidfd >= 0) ::close(leftover.pidfd);
}

Failure start_session(SessionPlan& plan, int session, int* pidfd, pid_t* pid) {
  if (!plan.ok) return {Stage::plan, EINVAL, 0};
  int sync[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) != 0)
    return failed(Stage::namespaces, 1);
  *pid = clone_process(plan.namespaces, pidfd);
  if (*pid == 0) {
    ::close(kSocket);
    ::close(sync[0]);
    forget_all();
    run_session(plan, sync[1], session);
  }
  Failure failure = *pid < 0 ? failed(Stage::namespaces) : Failure{};
  ::close(sync[1]);
  if (!failure && !remember_groups(plan, *pidfd)) failure = failed(Stage::cgroup);
  if (!failure) failure = release_holder(plan, *pid, sync[0]);
  ::close(sync[0]);
  if (failure && *pid > 0) ::syscall(SYS_pidfd_send_signal, *pidfd, SIGKILL, nullptr, 0);
  return failure;
}

void open_session(const Received& message) {
  wire::SessionStarted answer;
  const MappedPlan mapped = map_plan(message.fds[0]);
  int pidfd = -1;
  pid_t pid = -1;
  Failure failure{Stage::plan, EINVAL, 0};
  if (mapped.bytes != nullptr) {
    SessionPlan plan = SessionPlan::read(mapped);
    failure = start_session(plan, message.fds[1], &pidfd, &pid);
    ::munmap(const_cast<char*>(mapped.bytes), mapped.size);
  }
  answer.stage = failure.stage;
  answer.error = failure.error;
  answer.detail = failure.detail;
  answer.pid = pid;
  send_message(message.fds[1], &answer, sizeof answer, &pidfd, failure || pidfd < 0 ? 0 : 1);
  if (pidfd >= 0) ::close(pidfd);
}

// The form of getdents64(2).
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t size;
  std::uint8_t type;
  char name[1];
};

// Removes the empty groups of our runtime, whose names begin alike. One that was killed may have
// made some that no session has come to use.
void remove_groups_of_runtime(const char* folder, const char* prefix) {
  const int at = ::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return;
  alignas(Entry) static char entries[32UL << 10];
  for (long size = 0; (size = ::syscall(SYS_getdents64, at, entries, sizeof entries)) > 0;)
    for (long i = 0; i < size;) {
      const auto* entry = reinterpret_cast<const Entry*>(entries + i);
      if (::strncmp(entry->name, prefix, ::strlen(prefix)) == 0)
        ::unlinkat(at, entry->name, AT_REMOVEDIR);
      i += entry->size;
    }
  ::close(at);
}

// Waits for a request or for the end of a session; at the end of the runtime only for the latter.
bool wait_for_work(bool runtime_lives) {
  static pollfd watched[kSessionsMax + 1];
  nfds_t count = 0;
  if (runtime_lives) watched[count++] = {kSocket, POLLIN, 0};
  const nfds_t first = count;
  for (const Leftover& leftover : leftovers)
    if (leftover.pidfd >= 0) watched[count++] = {leftover.pidfd, POLLIN, 0};
  if (count == 0) return false;
  if (::poll(watched, count, -1) < 0) return errno == EINTR;
  for (nfds_t i = first; i < count; ++i) {
    if (watched[i].revents == 0) continue;
    for (Leftover& leftover : leftovers)
      if (leftover.pidfd == watched[i].fd) remove_groups(leftover);
  }
  return true;
}

void serve() {
  bool runtime_lives = true;
  while (wait_for_work(runtime_lives)) {
    if (!runtime_lives) continue;
    pollfd request_here{kSocket, POLLIN, 0};
    if (::poll(&request_here, 1, 0) <= 0) continue;
    wire::OpenSession request;
    const Received message = receive_message(kSocket, &request, sizeof request);
    if (message.size == 0 || (message.size < 0 && errno != EMSGSIZE)) {
      runtime_lives = false;  // its end, or a descriptor that is no socket of it
    } else if (message.size == static_cast<long>(sizeof request) &&
               request.kind == wire::Kind::open_session && message.count == 2) {
      open_session(message);
    }
    close_all(message.fds, message.count);
  }
}

}  // namespace
}  // namespace fathom::sandbox::zygote

// Arguments: how the names of the runtime's control groups begin, then the folders they are in.
int main(int argc, char** argv) {
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NAME, "fathom-zygote");
  ::setsid();
  // A command that inherits our real-time priority could starve the machine, and a control group
  // for processor time would not take it.
  const int scheduling = ::sched_getscheduler(0);
  const sched_param ordinary{};
  if (scheduling == SCHED_FIFO || scheduling == SCHED_RR)
    ::sched_setscheduler(0, SCHED_OTHER, &ordinary);
  ::syscall(SYS_close_range, 4U, ~0U, 0U);
  ::signal(SIGCHLD, SIG_IGN);  // holders are watched through their pidfds and need no wait
  ::signal(SIGPIPE, SIG_IGN);
  fathom::sandbox::zygote::serve();
  for (int i = 2; i < argc; ++i)
    fathom::sandbox::zygote::remove_groups_of_runtime(argv[i], argv[1]);
  ::_exit(0);
}
