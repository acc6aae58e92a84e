// What one session has seen and changed: so that it never edits what somebody else changed in the
// meantime, and can take its last edit of a file back. Pure and bounded; the oldest goes first.
#pragma once

#include "tools/edit/file_text.hpp"
#include "tools/edit/workspace_files.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace fathom::tools {

inline constexpr std::size_t kSeenFilesMax = 4'096;
inline constexpr std::size_t kSeenFileBytesMax = 1UL << 20;  // kept of one, to show what changed
inline constexpr std::size_t kSeenBytesMax = 16UL << 20;     // kept of all
inline constexpr std::size_t kUndoStepsMax = 1'000;
inline constexpr std::size_t kUndoBytesMax = 64UL << 20;  // old bytes of all edits

/// A file as the model knows it.
struct Seen {
  FileIdentity identity;
  std::shared_ptr<const std::string> bytes;  ///< absent when they are too many
  bool is_restored = false;  ///< it was taken back since to what was seen earlier: as it is now
};

/// How to take one edit back.
struct UndoStep {
  FileIdentity after;    ///< the file that the edit made
  Splice inverse;        ///< of its bytes
  bool was_new = false;  ///< there was no file before
};

class EditMemory {
 public:
  void saw(const std::string& path, Seen seen);
  [[nodiscard]] const Seen* seen(const std::string& path) const;

  /// The files were taken back to an earlier state, which was seen too, if not last.
  void restored();

  /// `before` is the file that was edited; when that is not what the last edit left, earlier edits
  /// of this path cannot be taken back any more.
  void edited(const std::string& path, const FileIdentity* before, UndoStep step);
  [[nodiscard]] const UndoStep* last_edit(const std::string& path) const;
  /// The last edit is taken back; `now` is the file (absent when it is gone).
  void undone(const std::string& path, const FileIdentity* now);

 private:
  struct Remembered {
    Seen seen;
    std::uint64_t age = 0;
  };
  struct Step {
    std::string path;
    UndoStep step;
  };
  void forget_oldest_bytes();
  [[nodiscard]] std::deque<Step>::iterator last_step(std::string_view path);

  std::map<std::string, Remembered> seen_;
  std::uint64_t looks_ = 0;
  std::size_t seen_bytes_ = 0;
  std::deque<Step> steps_;
  std::size_t undo_bytes_ = 0;
};

}  // namespace fathom::tools
