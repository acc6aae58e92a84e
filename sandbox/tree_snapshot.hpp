// What one look at a workspace found: its folders with what is needed to see that they are the same
// next time, and every entry that is watched, with its content where it can be put back.
#pragma once

#include "sandbox/directory.hpp"
#include "sandbox/git_paths.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

inline constexpr std::uint32_t kNone = UINT32_MAX;

/// Why an entry is watched, and so what may happen to it.
enum class Watch : std::uint8_t {
  name,       ///< a protected name of the policy, or a file below one
  report,     ///< allowed; new or changed it is listed as "will run later"
  git_file,   ///< `.git` as a file: it may point to a git directory that is watched itself
  git_other,  ///< `.git` as a link, fifo or socket
  git,        ///< something in a git directory that git does not write
  config,
  inert,
  common_dir,
  alternates,
  todo,
};

struct WatchedEntry {
  std::string name;
  Watch watch = Watch::name;
  std::string rule;  ///< "filesystem.protected[3]", "git.hooks"
  Stamp stamp;
  bool settled = true;  ///< false: changed so shortly before the look that a change may not show
  std::shared_ptr<const std::string>
      content;  ///< of a file, or where a link points; null: not kept
};

/// A folder. It stands behind its parent in the snapshot's list.
struct Directory {
  std::string name;  ///< of a root: its absolute path
  std::uint32_t parent = kNone;
  std::uint32_t first_child = kNone;
  std::uint32_t next_sibling = kNone;
  std::uint32_t root = 0;
  std::uint32_t depth = 0;       ///< below its root
  std::uint32_t before = kNone;  ///< the folder of the same path in the look before
  Zone asked = Zone::plain;      ///< what its place says it is
  Zone zone = Zone::plain;       ///< what it is, having seen its names
  bool settled = true;           ///< false: list it again next time, whatever its times say
  bool unread = false;           ///< it could not be listed
  bool empty = true;             ///< no names in it
  bool mount = false;            ///< another file system, which is not looked into
  GitMarks marks;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t changed_ns = 0;
  std::string rule;                   ///< of a guarded or reported folder
  std::vector<WatchedEntry> watched;  ///< by name
};

struct Snapshot {
  std::vector<Directory> directories;
  std::vector<std::string> incomplete;  ///< folders that could not be looked at, and why
  std::vector<std::string> exceeded;    ///< bounds beyond which nothing was looked at
  std::size_t entries = 0;
  std::size_t watched = 0;
  std::size_t reported = 0;
  std::size_t saved_bytes = 0;
};

/// The path of a folder relative to its root ("" for the root itself), and of an entry in it.
std::string path_of(const Snapshot& snapshot, std::uint32_t directory);
std::string path_of(const Snapshot& snapshot, std::uint32_t directory, std::string_view name);

/// The absolute path.
std::string absolute_path_of(const Snapshot& snapshot, std::uint32_t directory,
                             std::string_view name);

/// The folder at an absolute path, or kNone.
std::uint32_t find_directory(const Snapshot& snapshot, std::string_view absolute_path);

/// `to` as seen from the folder `from` (absolute, without links). Empty when `to` is, and when a
/// ".." stands behind a name: that name may be a link, and then the spelling says nothing.
std::string resolve_path(std::string_view from, std::string_view to);

/// The absolute path that a `.git` file in `folder` names; empty when it is not such a file.
std::string git_file_target(std::string_view folder, std::string_view content);

const WatchedEntry* find_watched(const Directory& directory, std::string_view name);

}  // namespace fathom::sandbox
