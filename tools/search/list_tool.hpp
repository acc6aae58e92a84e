// list: the files of a folder as a tree, ignored ones left out.
// data: {"files":N,"cut":bool}
#pragma once

#include "tools/search/search_backend.hpp"
#include "tools/tool.hpp"

namespace fathom::tools {

inline constexpr std::size_t kListedMax = 500;  // lines
inline constexpr std::size_t kListDepth = 2;    // unless the call asks for another
inline constexpr std::size_t kListDepthMax = 16;

class ListTool final : public Tool {
 public:
  ListTool(Commands& commands, std::string workspace);
  static const ToolSpec& description();
  [[nodiscard]] const ToolSpec& spec() const override { return description(); }
  [[nodiscard]] Result<Intent> intent(const Arguments& arguments) const override;
  asio::awaitable<Result<ToolOutput>> run(const Call& call) override;

 private:
  SearchBackend backend_;
};

}  // namespace fathom::tools
