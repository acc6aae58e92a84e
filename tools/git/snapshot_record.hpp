// SnapshotRecord: what is written down of one snapshot beside its trees.
#pragma once

#include "runtime/base/ids.hpp"
#include "tools/git/git_state.hpp"
#include "tools/git/snapshot_tree.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

using SnapshotId = Id<struct SnapshotTag>;

inline constexpr std::size_t kUncoveredMax = 1'000;  ///< named in one record
inline constexpr std::size_t kLabelBytesMax = 1'000;

/// Something that is not in a snapshot and so is not touched by a restore.
struct Uncovered {
  std::string path;    ///< with all below it
  std::string reason;  ///< "larger than 16 MiB"
  friend bool operator==(const Uncovered&, const Uncovered&) = default;
};

struct SnapshotRecord {
  SnapshotId id;  ///< its time is when it was taken
  std::string label;
  ObjectId root{};  ///< tree
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<Uncovered> uncovered;
  bool complete = true;  ///< false: more is uncovered than is named; nothing may be deleted then
  std::string excludes;  ///< `.git/info/exclude` as it was: what was ignored then
  GitState git;          ///< what was seen of `.git`

  friend bool operator==(const SnapshotRecord&, const SnapshotRecord&) = default;
};

/// JSON, for people too.
std::string encode_record(const SnapshotRecord& record);
Result<SnapshotRecord> decode_record(std::string_view json);

}  // namespace fathom::tools
