// Makes the steps of a commit in the workspace, while the user may be working in it.
//
// Every step is relative to an open folder and follows no link. What is new is written beside its
// place under a name of the commit's own and then swapped in by one rename; what was swapped out is
// looked at, and if it is not what the plan saw, the swap is undone: a host edit is never lost, not
// even one between the check and the rename. A removed tree is renamed, looked through, and only
// then removed.
//
// A step that was made already is recognized by what stands there, so a plan can be run again after
// a crash.
#pragma once

#include "sandbox/commit_plan.hpp"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace fathom::sandbox {

struct CommitSite {
  int upper = -1;
  int lower = -1;
  std::string id;  ///< of the transaction; part of temporary names
  std::int64_t began_ns = 0;
  uid_t owner = 0;  ///< of what is new, when root commits
  gid_t group = 0;
  std::function<void(std::size_t)> before_step = {};  ///< progress; may be absent
};

/// A step that was not made, and why. The rest goes on without it.
struct Unmade {
  std::string path;
  std::string reason;
};

struct Committed {
  std::size_t made = 0;
  std::vector<Unmade> unmade;
};

/// Fails only for what later steps would meet too: a full disk.
Result<Committed> make_steps(const CommitSite& site, const std::vector<Step>& steps);

/// Removes what a stopped commit left beside its places, without finishing it.
void remove_leavings(const CommitSite& site, const std::vector<Step>& steps);

}  // namespace fathom::sandbox
