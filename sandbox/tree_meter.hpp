// TreeMeter: what a process tree uses, read from /proc. For limits that no control group holds.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace fathom::sandbox {

struct TreeUse {
  std::uint64_t memory_bytes = 0;   ///< resident and swapped, private pages of each process
  std::uint64_t written_bytes = 0;  ///< towards storage, of processes that ended too
  std::uint32_t processes = 0;
  std::chrono::milliseconds cpu{0};  ///< user and system, of processes that were waited for too

  friend bool operator==(const TreeUse&, const TreeUse&) = default;
};

inline constexpr std::uint32_t kTreeProcessesMax = 16'384;  // looked at in one reading

/// Of `root` and its descendants. Processes that end meanwhile are left out.
TreeUse measure_tree(pid_t root);

/// Space on disk that files have come to hold while a tree had them open: blocks, not bytes
/// written, so that space which is only allocated counts, and that of files without a name. A file
/// made since `started` counts whole, an older one by what it has grown since it was first seen;
/// what was seen stays counted when it is closed, as written bytes do.
///
/// What it does not see: files that are opened, filled by fallocate(2) and closed between two
/// looks; memory files and tmpfs, which other limits bound.
class AllocationMeter {
 public:
  static constexpr std::size_t kFilesMax = 65'536;  // remembered; more are not counted
  /// Descriptors in one look, some 10 ms on the event loop. Where there are more the next look goes
  /// on with the process behind: a tree with millions must not hold up its own deadline.
  static constexpr std::size_t kLookedAtMax = 4'096;

  /// Files born before now are old. By the clock that file systems stamp with.
  AllocationMeter();

  /// Looks at the open files of `root` and its descendants.
  std::uint64_t measure(pid_t root);

 private:
  struct Seen {
    std::uint64_t before = 0;  ///< bytes when it was first seen, of an old file
    std::uint64_t most = 0;
  };
  using File = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
  void look_at(const std::string& open_file);

  std::int64_t started_ns_ = 0;
  std::size_t turn_ = 0;  ///< in the tree, the process to begin with
  std::map<File, Seen> files_;
};

/// The process behind a pidfd as this process numbers it; -1 when it is gone.
pid_t pid_of(int pidfd);

}  // namespace fathom::sandbox
