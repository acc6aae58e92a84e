// What the upper layer of a transaction would change in the workspace, and what stands in the way.
//
// The layer and the workspace are walked side by side, as far as the layer goes. Conflicts are
// found by ctime, which no program can set back: what the host changed after the transaction began
// is newer than that. A file removed on the host is known by the layer's copy having an origin.
//
// The layer is hostile: it is walked without recursion, and what lies deeper than a path can say,
// fifos, sockets and names beyond the bounds are withheld or refused.
//
// Not seen: a host edit in the same tick of the clock in which the transaction began (4 ms); a
// folder of old files that the host moved to where the transaction put a folder of its own.
#pragma once

#include "sandbox/change_judge.hpp"
#include "sandbox/directory.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

inline constexpr std::size_t kChangesMax = 500'000;
inline constexpr std::size_t kChangePathBytesMax = 4000;  ///< below PATH_MAX, with room for a name
inline constexpr std::size_t kLayerNamesMax = 2'000'000;

enum class ChangeKind : std::uint8_t {
  added,
  modified,      ///< a file or link of the same type
  mode_changed,  ///< permission bits only
  type_changed,  ///< a file became a folder, a link a file
  deleted,       ///< with all below
};
std::string_view name_of(ChangeKind kind);
std::string_view name_of(Fate fate);
std::string_view name_of(FileType type);

struct Change {
  ChangeKind kind = ChangeKind::added;
  FileType type = FileType::regular;  ///< what it is now; of a deleted name, what it was
  std::string path;                   ///< relative to the workspace
  std::uint32_t mode = 0;             ///< read, write and execute bits; others are not carried over
  std::uint64_t bytes = 0;
  Fate fate = Fate::applied;
  std::string rule;                 ///< why it is withheld or listed
  std::string reason;               ///< for people
  std::optional<Stamp> before;      ///< what the workspace has there
  std::optional<std::string> text;  ///< a cleaned config; where a link points
  bool shared = false;         ///< files there, or below, have further names: their ctime moves too
  bool objects_first = false;  ///< what refs and the index will name

  friend bool operator==(const Change&, const Change&) = default;
};

/// Two trees and the moment from which a change in the lower one is somebody else's.
struct LayerSubject {
  int upper = -1;
  int lower = -1;
  std::string workspace;  ///< absolute path of `lower`
  std::int64_t began_ns = 0;
  const ChangeJudge& judge;
};

/// Parents stand before what they hold. Fails with `too_large` beyond the bounds.
Result<std::vector<Change>> layer_changes(const LayerSubject& subject);

}  // namespace fathom::sandbox
