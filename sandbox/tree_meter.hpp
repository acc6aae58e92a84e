// TreeMeter: what a process tree uses, read from /proc. For limits that no control group holds.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace fathom::sandbox {

struct TreeUse {
  std::uint64_t memory_bytes = 0;   ///< resident and swapped, private pages of each process
  std::uint64_t written_bytes = 0;  ///< towards storage, of processes that ended too
  std::uint32_t processes = 0;

  friend bool operator==(const TreeUse&, const TreeUse&) = default;
};

inline constexpr std::uint32_t kTreeProcessesMax = 16'384;  // looked at in one reading

/// Of `root` and its descendants. Processes that end meanwhile are left out.
TreeUse measure_tree(pid_t root);

/// The process behind a pidfd as this process numbers it; -1 when it is gone.
pid_t pid_of(int pidfd);

}  // namespace fathom::sandbox
