// Makes the changes of a RestorePlan. Each file is old or new; the whole may be stopped anywhere
// and done again. What changed since the look that the plan was made from is left alone.
#pragma once

#include "tools/git/object_store.hpp"
#include "tools/git/restore_plan.hpp"
#include "tools/git/stat_cache.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::tools {

struct NotRestored {
  std::string path;
  std::string reason;
  friend bool operator==(const NotRestored&, const NotRestored&) = default;
};

struct RestoreReport {
  std::vector<std::string> changed;       ///< paths that are as in the snapshot again
  std::vector<NotRestored> not_restored;  ///< and those that are not
};

struct RestoreTarget {
  int root = -1;          ///< the workspace, open
  const StatCache& seen;  ///< by the look that the plan was made from
  std::uint64_t file_bytes_max = 0;
};

RestoreReport apply_changes(const RestoreTarget& target, const std::vector<Change>& changes,
                            const ObjectStore& store);

}  // namespace fathom::tools
