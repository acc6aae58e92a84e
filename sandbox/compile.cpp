#include "sandbox/compile.hpp"

#include "sandbox/landlock_plan.hpp"
#include "sandbox/root_view.hpp"

#include <linux/sched.h>
#include <sys/resource.h>

#include <algorithm>

namespace fathom::sandbox {
namespace {

// An id that no account, container range or dynamic user is given (systemd's table of ids): what
// runs under it owns nothing on this machine, and limits per user bite.
constexpr std::uint32_t kSandboxId = 1'900'000'000;

// What only its being unmapped would keep root's own id from writing.
constexpr std::initializer_list<const char*> kProcReadOnly = {
    "/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
    "/proc/fs",  "/proc/acpi",          "/proc/scsi"};

void set_identity(const CompileInput& input, SessionPlan& plan) {
  plan.inside_uid = input.host.uid;
  plan.inside_gid = input.host.gid;
  if (input.host.uid != 0) {
    plan.identity = wire::Identity::self;
    plan.outside_uid = input.host.uid;
    plan.outside_gid = input.host.gid;
    return;
  }
  plan.identity = wire::Identity::mapped;
  switch (input.root_mode) {
    case RootMode::idmapped:
      plan.outside_uid = kSandboxId;
      plan.outside_gid = kSandboxId;
      break;
    case RootMode::workspace:
      plan.outside_uid = input.workspace.owner;
      plan.outside_gid = input.workspace.group;
      break;
    case RootMode::unmapped:
      plan.proc_read_only.assign(kProcReadOnly.begin(), kProcReadOnly.end());
      break;
  }
}

}  // namespace

Result<SessionPlan> compile(const CompileInput& input, const LookAtPath& look) {
  return compile(input, TRY(view_entries(input, look)));
}

Result<SessionPlan> compile(const CompileInput& input, const std::vector<ViewEntry>& entries) {
  SessionPlan plan;
  plan.groups = input.groups;
  plan.filters = input.filters;
  plan.landlock = landlock_plan(input, entries);
  if (!has_namespaces(input.rung)) return plan;

  // No cgroup namespace. The host's /sys/fs/cgroup is shown either way, so it would hide nothing,
  // but its root is where the holder is cloned, and the session's groups are elsewhere: mounts of
  // the hierarchies would have the root "/../..", on which runtimes that look for their limits fail
  // (JDK 17: a NullPointerException in CgroupUtil) or miss them.
  plan.namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  plan.cell_flags = wire::kCellMounts | wire::kCellPids;
  plan.flags = wire::kSessionNestedOff;
  if (input.rung == Rung::full) {
    plan.flags |= wire::kSessionNetwork | (input.capture ? wire::kSessionCapture : 0U);
    plan.listeners = input.listeners;
  }
  set_identity(input, plan);
  RootView view = TRY(build_root_view(input, entries));
  plan.mounts = std::move(view.mounts);
  plan.idmapped = std::move(view.idmapped);
  // What commands write is not what the host has then: tools of our own process must see the same.
  if (std::ranges::any_of(input.overlays, [&](const OverlayPlan& overlay) {
        return overlay.path == input.workspace.root;
      }))
    plan.shown = input.workspace.root;
  return plan;
}

std::vector<std::pair<int, std::uint64_t>> compile_limits(const policies::Limits& limits) {
  return {{RLIMIT_CORE, 0},
          {RLIMIT_NOFILE, limits.fds},
          {RLIMIT_FSIZE, limits.disk_bytes},
          {RLIMIT_NPROC, limits.pids},
          {RLIMIT_MEMLOCK, 8UL << 20}};
}

}  // namespace fathom::sandbox
