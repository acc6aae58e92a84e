#include "sandbox/zygote/session.hpp"

#include "sandbox/zygote/cell.hpp"
#include "sandbox/zygote/landlock.hpp"
#include "sandbox/zygote/mounts.hpp"
#include "sandbox/zygote/network.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <csignal>

namespace fathom::sandbox::zygote {
namespace {

using wire::Stage;

// An ordinary user maps exactly itself. The files of /proc belong to root while we are not
// dumpable.
Failure map_self(const SessionPlan& plan) {
  ::prctl(PR_SET_DUMPABLE, 1);
  SmallText users;
  SmallText groups;
  users.add(plan.inside_uid).add(" ").add(plan.outside_uid).add(" 1");
  groups.add(plan.inside_gid).add(" ").add(plan.outside_gid).add(" 1");
  const bool done = write_small_file("/proc/self/setgroups", "deny", 4) &&
                    write_small_file("/proc/self/uid_map", users.c_str(), users.size()) &&
                    write_small_file("/proc/self/gid_map", groups.c_str(), groups.size());
  const Failure failure = done ? Failure{} : failed(Stage::id_maps);
  ::prctl(PR_SET_DUMPABLE, 0);
  return failure;
}

// The zygote has written our maps: take the id inside. Supplementary groups of root are dropped.
Failure take_identity(const SessionPlan& plan) {
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) return failed(Stage::identity);
  if (::syscall(SYS_setresgid, plan.inside_gid, plan.inside_gid, plan.inside_gid) != 0 ||
      ::syscall(SYS_setresuid, plan.inside_uid, plan.inside_uid, plan.inside_uid) != 0)
    return failed(Stage::identity);
  ::prctl(PR_SET_DUMPABLE, 0);
  return {};
}

Failure build_root(SessionPlan& plan, int sync) {
  static char note[8];
  Received trees{};
  if (plan.idmapped_count > 0) {
    trees = receive_message(sync, note, sizeof note);
    if (trees.size <= 0 || trees.count != plan.idmapped_count) return failed(Stage::idmap);
  }
  if ((plan.namespaces & CLONE_NEWNS) != 0 &&
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return failed(Stage::mounts);
  static constinit Slots slots;
  return perform_mounts(plan.rest, slots, trees.fds, trees.count);
}

Failure switch_off_nesting(const SessionPlan& plan) {
  if ((plan.flags & wire::kSessionNestedOff) == 0) return {};
  if (!write_small_file("/proc/sys/user/max_user_namespaces", "0", 1))
    return failed(Stage::nested_off);
  return {};
}

// Whether cells will be able to mount /proc, asked while there is somebody to tell: the kernel
// refuses where the outside hides parts of it, as containers do.
Failure try_proc(const SessionPlan& plan) {
  constexpr std::uint32_t kBoth = wire::kCellMounts | wire::kCellPids;
  if ((plan.cell_flags & kBoth) != kBoth || can_mount("proc")) return {};
  return failed(Stage::proc);
}

// What the runtime gets with SessionReady.
struct HandedOut {
  int fds[wire::kListenersMax + 1] = {};
  std::size_t count = 0;
};

// As a path only: whoever holds it looks and writes with rights of its own.
Failure open_shown(wire::PlanReader& plan, HandedOut& handed) {
  std::size_t size = 0;
  const char* path = plan.text(&size);
  if (size == 0) return {};
  const int fd = ::open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return failed(Stage::mounts);
  handed.fds[handed.count++] = fd;
  return {};
}

// Everything of the plan from the host name on.
Failure set_up(SessionPlan& plan, int sync, NetworkBuild& network, CellContext& context,
               HandedOut& handed) {
  std::size_t name_size = 0;
  const char* name = plan.rest.text(&name_size);
  if ((plan.namespaces & CLONE_NEWUTS) != 0 && ::sethostname(name, name_size) != 0)
    return failed(Stage::namespaces);
  // Before the root becomes read-only, /proc included.
  if (Failure failure = switch_off_nesting(plan)) return failure;
  if (Failure failure = try_proc(plan)) return failure;
  if (Failure failure = build_root(plan, sync)) return failure;
  if ((plan.flags & wire::kSessionNetwork) != 0)
    if (Failure failure = network.join()) return failure;
  if (Failure failure = open_listeners(plan.rest, handed.fds, handed.count)) return failure;
  if (Failure failure = open_shown(plan.rest, handed)) return failure;
  if (Failure failure = build_ruleset(plan.rest, context.ruleset)) return failure;
  std::uint32_t proc_paths = 0;
  if (!read_paths(plan.rest, context.proc_paths, proc_paths)) return {Stage::plan, EINVAL, 1};
  context.proc_path_count = proc_paths;
  context.filter_count = plan.rest.u32();
  if (context.filter_count > kFiltersMax) return {Stage::plan, EINVAL, 2};
  for (std::size_t i = 0; i < context.filter_count; ++i)
    context.filters[i].bytes = plan.rest.text(&context.filters[i].size);
  if (!plan.rest.ok() || !plan.rest.at_end()) return {Stage::plan, EINVAL, 3};
  return {};
}

// A command's namespaces: cloned from here, so that they stand in the session's.
void prepare(const CellContext& context, int session, const wire::Prepare& request,
             const Received& message) {
  const int cell = message.fds[0];
  std::uint64_t flags = 0;
  if ((context.flags & wire::kCellMounts) != 0) flags |= CLONE_NEWNS;
  if ((context.flags & wire::kCellPids) != 0) flags |= CLONE_NEWPID;
  int pidfd = -1;
  const pid_t pid = clone_process(flags, &pidfd);
  if (pid == 0) {
    ::close(session);
    run_cell(context, request, cell, message.count > 1 ? message.fds[1] : -1);
  }
  if (pid < 0) {
    wire::Failed answer;
    answer.stage = Stage::cell;
    answer.error = errno;
    send_message(cell, &answer, sizeof answer, nullptr, 0);
  } else {
    wire::CellStarted answer;
    answer.pid = pid;
    send_message(cell, &answer, sizeof answer, &pidfd, 1);
    ::close(pidfd);
  }
  close_all(message.fds, message.count);
}

}  // namespace

void run_session(SessionPlan& plan, int sync, int session) {
  CellContext context;
  context.flags = plan.cell_flags;
  context.in_pid_namespace = (plan.cell_flags & wire::kCellPids) != 0;
  static constinit HandedOut handed;

  Failure failure;
  NetworkBuild network;
  if ((plan.flags & wire::kSessionNetwork) != 0)
    failure = network.start((plan.flags & wire::kSessionCapture) != 0);
  if (!failure && plan.identity == wire::Identity::self) failure = map_self(plan);
  if (!failure) {
    // The zygote answers when maps and control groups are written, or closes the socket.
    char go = 0;
    if (::read(sync, &go, 1) != 1) ::_exit(1);
    if (plan.identity == wire::Identity::mapped) failure = take_identity(plan);
  }
  if (!context.in_pid_namespace) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (!failure) failure = set_up(plan, sync, network, context, handed);
  ::close(sync);

  wire::SessionReady ready;
  ready.stage = failure.stage;
  ready.error = failure.error;
  ready.detail = failure.detail;
  send_message(session, &ready, sizeof ready, handed.fds, handed.count);
  close_all(handed.fds, handed.count);
  if (failure) ::_exit(1);
  forbid_capabilities();

  for (;;) {
    wire::Prepare request;
    const Received message = receive_message(session, &request, sizeof request);
    // The end of the runtime or of the session. Whatever stops us stops the commands too.
    if (message.size <= 0) {
      if (!context.in_pid_namespace) sweep_children();
      ::_exit(0);
    }
    if (message.size != static_cast<long>(sizeof request) || request.kind != wire::Kind::prepare ||
        message.count < 1) {
      close_all(message.fds, message.count);
      continue;
    }
    prepare(context, session, request, message);
  }
}

}  // namespace fathom::sandbox::zygote
