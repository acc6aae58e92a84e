// SnapshotDiff: what changed between two snapshots of a workspace: a list of files, and a patch as
// git writes it. From the snapshots alone: the workspace as it is now is not looked at.
//
// Folders are not in it, and a move is a file that goes and one that comes: nothing is guessed. In
// the patch a file's mode is 100644 or 100755, as git has no others; the list has all nine bits.
#pragma once

#include "tools/git/object_store.hpp"
#include "tools/git/snapshot_record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

enum class FileChange : std::uint8_t {
  added,
  modified,
  deleted,
  permissions,  ///< and nothing else
  retyped,      ///< a file became a link, or a link a file
};
std::string_view name_of(FileChange change);

/// How much of a content is in the patch, and in the counts of lines.
enum class Told : std::uint8_t {
  lines,
  binary,     ///< that it differs
  too_large,  ///< the same: larger than one file may be, or beyond what one diff reads
  lost,       ///< the same: the store has it no more
};

struct ChangedFile {
  std::string path;  ///< any bytes
  FileChange change = FileChange::modified;
  Told told = Told::lines;
  std::optional<Node> before;  ///< with permissions; NodeKind::link says that it is a link
  std::optional<Node> after;
  std::size_t added = 0;  ///< lines
  std::size_t removed = 0;

  friend bool operator==(const ChangedFile&, const ChangedFile&) = default;
};

struct SnapshotDiff {
  std::vector<ChangedFile> files;  ///< by path
  /// Held by one of the two only, while the other did not look there: ignored, or left out.
  std::vector<std::string> unsure;
  std::size_t more_files = 0;  ///< beyond the bound of either list
  std::size_t added = 0;       ///< lines of all listed files
  std::size_t removed = 0;
  std::string patch;    ///< bytes as they are in the files: not always UTF-8
  bool is_cut = false;  ///< the patch ends with a line that says how much more there is
};

struct DiffBounds {
  std::size_t files_max = 2'000;
  std::size_t patch_bytes_max = 1UL << 20;   ///< before the line that says that it is cut
  std::size_t file_bytes_max = 4UL << 20;    ///< of either content
  std::size_t read_bytes_max = 256UL << 20;  ///< of all contents
};

struct DiffSide {
  const SnapshotRecord& record;
  const TreeState& state;
};

Result<SnapshotDiff> diff_states(const DiffSide& from, const DiffSide& to, const ObjectStore& store,
                                 const DiffBounds& bounds);

}  // namespace fathom::tools
