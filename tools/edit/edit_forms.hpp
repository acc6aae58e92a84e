// What a call of str_replace_editor can usefully be, for an engine that holds a model to it: a view
// of a file that is there, or the replacement of a line that stands in its file exactly once. A
// small model copies names and lines with faults; held to these it makes no call that must fail.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kEditFormsMax = 64;              // the view, then a file each
inline constexpr std::size_t kFormFilesMax = 512;             // that may be viewed
inline constexpr std::size_t kFormLinesMax = 4'000;           // of all files together
inline constexpr std::size_t kFormLineBytesMax = 1'000;       // longer lines are left out
inline constexpr std::size_t kFormFileBytesMax = 64UL << 10;  // of a larger one none is named
inline constexpr std::size_t kFormPathBytesMax = 512;

struct KnownFile {
  std::string path;       ///< as a call names it
  std::string_view text;  ///< all of it; "" when it has not been read
  bool may_edit = false;
};

/// JSON Schemas of the arguments. The first is the view of any of the files, the others replace in
/// one file each; a file without a line that can be named has none. Files and lines beyond the
/// bounds are left out, the first ones kept; empty without files.
[[nodiscard]] std::vector<std::string> edit_forms(std::span<const KnownFile> files);

/// Whether a call can name it: UTF-8, one line, and not too long.
[[nodiscard]] bool is_form_path(std::string_view path);

/// The lines of `text`, without their ends, that occur in it once, also inside other lines. Blank
/// ones and those that no argument can hold are not among them.
[[nodiscard]] std::vector<std::string_view> unique_lines(std::string_view text);

}  // namespace fathom::tools
