// The holder: first process of a session. It keeps the session's namespaces (user, mount, network,
// IPC, host name, control group, processes) alive, prepares the namespaces of each command on
// request, and ends when the runtime closes the session socket; as PID 1 of the session it takes
// everything along.
#pragma once

#include "sandbox/zygote/session_plan.hpp"

namespace fathom::sandbox::zygote {

struct Filter {
  const char* bytes = nullptr;
  std::size_t size = 0;
};

inline constexpr std::size_t kFiltersMax = 8;
inline constexpr std::size_t kProcPathsMax = 16;
/// What a cell needs of its session.
struct CellContext {
  std::uint32_t flags = 0;
  int ruleset = -1;  ///< of Landlock; -1 when the kernel has none
  bool in_pid_namespace = false;
  const char* proc_paths[kProcPathsMax] = {};
  std::size_t proc_path_count = 0;
  Filter filters[kFiltersMax];
  std::size_t filter_count = 0;
};

/// The holder's life: `sync` is the zygote's socket with which it waits for id maps and gets
/// idmapped trees, `session` the runtime's.
[[noreturn]] void run_session(SessionPlan& plan, int sync, int session);

}  // namespace fathom::sandbox::zygote
