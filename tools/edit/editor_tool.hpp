// str_replace_editor: looks at files and folders and edits files by the text that is in them.
//
// ToolOutput.data is
//   {"command": "str_replace", "path": "src/a.cpp", "lines": [12, 14], "total": 200,
//    "complete": true, "wrote": true}
// `lines` are those shown or changed, absent when there are none; `total` counts the lines of a
// viewed file or the entries of a viewed folder; `complete` is false when a view was cut.
//
// A session sees its own files only: an edit of a file that it looked at before and that somebody
// else changed since is refused once, with the change.
#pragma once

#include "runtime/async/offload.hpp"
#include "tools/edit/edit_command.hpp"
#include "tools/edit/edit_memory.hpp"
#include "tools/edit/workspace_files.hpp"
#include "tools/tool.hpp"

#include <string>

namespace fathom::tools {

class EditorTool final : public Tool {
 public:
  /// Both outlive this.
  EditorTool(WorkspaceFiles& files, OffloadPool& offload) : files_(files), offload_(offload) {}

  static const ToolSpec& description();
  [[nodiscard]] const ToolSpec& spec() const override { return description(); }
  [[nodiscard]] Result<Intent> intent(const Arguments& arguments) const override;
  asio::awaitable<Result<ToolOutput>> run(const Call& call) override;
  /// Views of the files that are there, and replacements of a line of those that were looked at.
  [[nodiscard]] std::vector<std::string> forms(const MayDo& may) const override;
  void restored() override { memory_.restored(); }

 private:
  void remember(const std::string& path, EditOutcome& outcome);

  WorkspaceFiles& files_;
  OffloadPool& offload_;
  EditMemory memory_;
};

}  // namespace fathom::tools
