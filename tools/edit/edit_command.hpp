// One call of the editor, from what was asked and remembered to what is said and to be remembered.
// Blocks on files and touches nothing else, so it runs on any thread.
#pragma once

#include "tools/edit/edit_memory.hpp"
#include "tools/edit/file_view.hpp"
#include "tools/edit/workspace_files.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace fathom::tools {

/// Of a file that is edited; it is held in memory twice at most.
inline constexpr std::size_t kEditedFileBytesMax = 128UL << 20;
inline constexpr std::size_t kSnippetContextLines = 4;
inline constexpr std::size_t kSnippetLinesMax = 24;
inline constexpr std::size_t kSnippetBytesMax = 6'000;

enum class EditCommand : std::uint8_t { view, create, str_replace, insert, undo_edit };

struct EditRequest {
  EditCommand command = EditCommand::view;
  std::string asked;   ///< the path as it was sent
  ResolvedPath place;  ///< what it means
  std::string file_text;
  std::string old_text;
  std::string new_text;
  std::int64_t insert_line = 0;
  std::optional<LineRange> range;
  std::optional<Seen> seen;           ///< the file as the session knows it
  std::optional<UndoStep> last_edit;  ///< of this file
};

struct EditOutcome {
  bool refused = false;  ///< nothing was done; digest and text say why
  std::string digest;
  std::string text;
  std::string notes;
  std::size_t first_line = 0;  ///< of what is shown or was changed; 0 for none
  std::size_t last_line = 0;
  std::size_t lines = 0;  ///< of a viewed file, entries of a viewed folder
  bool complete = true;   ///< all that was asked for is shown
  bool wrote = false;

  std::optional<Seen> seen;            ///< to be remembered
  std::optional<FileIdentity> before;  ///< of an edit of an existing file
  std::optional<UndoStep> undo;        ///< of an edit
  std::optional<FileIdentity> undone;  ///< of an undo: the file that is there again
  bool removed = false;                ///< of an undo: the file had been new
};

/// Errors begin with the path: `src/a.cpp: old_str is in 2 places (lines 3, 9): …`.
Result<EditOutcome> perform(WorkspaceFiles& files, const EditRequest& request);

}  // namespace fathom::tools
