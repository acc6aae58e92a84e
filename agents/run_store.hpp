// RunStore: where runs are kept below the state folder, and which of them a person means.
//
//   journals/RUN.jsonl   everything the run did
//   outputs/PLACE/RUN/   whole outputs as files, readable to runs in the same workspace
//   blobs/               bodies too large for events, of all runs
//   snapshots/           states of workspaces, for undo
//   tests/PLACE.json     what the last run of a workspace's tests said
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <string_view>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kOutputFoldersMax = 50;  // of earlier runs; their blobs stay

class RunStore {
 public:
  /// Makes the folders, private to the user.
  static Result<RunStore> open(std::filesystem::path state);

  /// A fresh id, later than all others this process made.
  [[nodiscard]] static RunId new_run(Clock& clock);

  [[nodiscard]] std::filesystem::path journal(const RunId& run) const;
  /// Of all runs in a workspace.
  [[nodiscard]] std::filesystem::path outputs(std::string_view workspace) const;
  /// Of the last run of its tests.
  [[nodiscard]] std::filesystem::path test_baseline(std::string_view workspace) const;
  [[nodiscard]] std::filesystem::path blobs() const { return state_ / "blobs"; }
  [[nodiscard]] std::filesystem::path snapshots() const { return state_ / "snapshots"; }
  [[nodiscard]] const std::filesystem::path& state() const { return state_; }

  /// The newest first.
  [[nodiscard]] Result<std::vector<RunId>> list() const;
  /// A whole id, or the end of one that no other has. `not_found` and `usage` say what there is.
  [[nodiscard]] Result<RunId> find(std::string_view text) const;

  /// Removes the output folders of all but the newest runs.
  void sweep_outputs() const;

 private:
  explicit RunStore(std::filesystem::path state) : state_(std::move(state)) {}
  std::filesystem::path state_;
};

}  // namespace fathom::agents
