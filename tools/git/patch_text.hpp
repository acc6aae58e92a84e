// Unified diffs, as git writes them and as models do: read strictly, so that a hunk whose counts do
// not fit its lines is an error with its line and not a guess. Pure.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kPatchFilesMax = 2'000;

struct PatchLine {
  char sign = ' ';   ///< ' ', '-' or '+'
  std::string text;  ///< with its line feed, unless "\ No newline at end of file" follows
  friend bool operator==(const PatchLine&, const PatchLine&) = default;
};

struct Hunk {
  std::size_t line = 0;       ///< of its header in the patch, from 1
  std::size_t old_start = 0;  ///< from 1; 0 when nothing was there
  std::vector<PatchLine> lines;
  friend bool operator==(const Hunk&, const Hunk&) = default;
};

struct FilePatch {
  std::size_t line = 0;                   ///< where it begins in the patch, from 1
  std::string old_path;                   ///< plain, relative; "" when the file is new
  std::string new_path;                   ///< "" when it goes
  std::optional<std::uint32_t> new_mode;  ///< permissions, when the patch gives a mode
  std::vector<Hunk> hunks;
  friend bool operator==(const FilePatch&, const FilePatch&) = default;
};

/// `bad_data` with the line of the patch; paths outside, in `.git` or with ".." are refused here,
/// binary patches and links too.
Result<std::vector<FilePatch>> parse_patch(std::string_view text);

/// Why a hunk does not fit: for the model to see where.
struct Rejected {
  std::size_t line = 0;  ///< of the hunk's header in the patch
  std::string reason;
  friend bool operator==(const Rejected&, const Rejected&) = default;
};

struct PatchedText {
  std::string text;
  std::vector<Rejected> rejected;  ///< when there are any, `text` means nothing
};

/// Each hunk goes where its header says, moved as those before it; else where its lines stand, if
/// they stand in one place only. Lines of a patch without CR fit a file of CRLF lines.
PatchedText apply_hunks(std::string_view text, const std::vector<Hunk>& hunks);

}  // namespace fathom::tools
