// Looks at a workspace, whole the first time and afterwards only where it changed.
//
// A folder whose inode and ctime are as they were holds the names it held: a command cannot set
// ctime. So one stat a folder, and one for each watched entry, tells that nothing happened. The
// clock of ctime moves in steps of a timer tick; what changed less than kSettlingNs before it was
// looked at is looked at again. Not seen: a write through a shared mapping into a page that was
// dirty already, which does not move ctime until the page is written back.
#pragma once

#include "runtime/base/unique_fd.hpp"
#include "sandbox/name_matcher.hpp"
#include "sandbox/tree_snapshot.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace fathom::sandbox {

inline constexpr std::int64_t kSettlingNs = 20'000'000;

/// What does not fit is named in Snapshot::exceeded.
struct ScanLimits {
  std::size_t entries_max = 4'000'000;      ///< names listed in one look
  std::size_t directories_max = 250'000;    ///< about 250 bytes each
  std::size_t watched_max = 50'000;         ///< protected entries
  std::size_t reported_max = 10'000;        ///< "will run later": they crowd out nothing else
  std::size_t path_steps_max = 50'000'000;  ///< names that the kernel walks to reach deep folders
  std::size_t saved_file_bytes_max = 256 * 1024;  ///< a larger file is watched, but not put back
  std::size_t saved_bytes_max = 32 * 1024 * 1024;
};

struct ScanRoot {
  std::string path;  ///< absolute, without links
  UniqueFd folder;
  Zone zone = Zone::plain;
};

/// Everything a look needs to know; outlives it.
struct ScanSubject {
  std::vector<ScanRoot> roots;  ///< the workspace first
  NameMatcher names;
  /// Further protected things by absolute path, with the rule: where a config says hooks are.
  std::unordered_map<std::string, std::string> guarded_paths;
  ScanLimits limits;
  std::function<std::int64_t()> now_ns;  ///< the clock that file times are taken from
};

/// `before` is the look before, or null. Never fails: what could not be seen is in the snapshot.
Snapshot scan(const ScanSubject& subject, const Snapshot* before);

/// Whether a new look would find the same. Costs a stat for each folder and watched entry.
bool is_unchanged(const ScanSubject& subject, const Snapshot& snapshot);

}  // namespace fathom::sandbox
