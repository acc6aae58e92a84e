// Control groups of a session: memory, processes and processor time, by cgroup v2 where its
// controllers are there and writable, else by v1. The folders are made here, joined and removed by
// the zygote.
#pragma once

#include "policies/policy.hpp"
#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/ladder.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

/// Where a new group can be made: v2's one folder, or v1's folder of each controller. Empty paths:
/// not.
struct GroupParents {
  std::string unified;
  std::string memory;
  std::string pids;
  std::string cpu;
};

/// Reads `mounts` and `groups` (/proc/self/mountinfo and /proc/self/cgroup).
GroupParents find_group_parents(const std::string& mounts, const std::string& groups);
GroupParents find_group_parents();

struct GroupCounts {
  std::uint64_t memory_kills = 0;  ///< processes that the kernel killed for the memory limit
  std::uint64_t pids_refused = 0;  ///< forks that the limit refused
};

enum class GroupLimits : std::uint8_t {
  memory,           ///< processes are counted by the user namespace
  memory_and_pids,  ///< everything
};

class ControlGroups {
 public:
  /// Makes what can be made and writes `limits`; what cannot is left to others: see memory(),
  /// pids() and cpu().
  /// Joining a v1 group costs 5 to 10 ms (a grace period of the kernel), so `wanted` leaves out
  /// what others hold as well.
  static ControlGroups create(const GroupParents& parents, const policies::Limits& limits,
                              const std::string& name, GroupLimits wanted);

  /// Folders that the session must join, for SessionPlan::groups.
  [[nodiscard]] const std::vector<std::string>& folders() const { return folders_; }
  [[nodiscard]] LimitBy memory() const { return memory_; }
  [[nodiscard]] LimitBy pids() const { return pids_; }
  [[nodiscard]] LimitBy cpu() const { return cpu_; }
  [[nodiscard]] GroupCounts counts() const;

  /// Removes the folders again, for a session that did not start.
  void remove();

 private:
  void make_unified(const std::string& folder, const policies::Limits& limits);

  std::vector<std::string> folders_;
  std::vector<UniqueFd> held_;  ///< the folders' locks
  std::string memory_folder_;
  std::string pids_folder_;
  LimitBy memory_ = LimitBy::polling;
  LimitBy pids_ = LimitBy::nothing;
  LimitBy cpu_ = LimitBy::unlimited;
};

/// Removes groups of runtimes that are gone: see maker_name.hpp.
void sweep_stale_groups(const GroupParents& parents);

}  // namespace fathom::sandbox
