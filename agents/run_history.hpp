// RunHistory: what a run's journal says about undoing it: the workspace, and the snapshot before
// each call that could write.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/result.hpp"
#include "tools/git/snapshot_record.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fathom::agents {

struct WritingStep {
  std::string tool;
  tools::SnapshotId before;
};

struct RunHistory {
  RunId run;
  std::string workspace;
  std::vector<WritingStep> steps;         ///< in the order of the calls; step 1 is the first
  std::optional<tools::SnapshotId> left;  ///< what the run left, when it came to its end
  bool changed = true;  ///< whether that differs from what was before; true where it is not known
};

/// Errors are those of reading the journal; what follows a damaged place is not known.
Result<RunHistory> read_history(const std::filesystem::path& journal);

}  // namespace fathom::agents
