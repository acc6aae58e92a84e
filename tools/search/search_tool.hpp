// search: ripgrep's semantics, bounded and in a stable order.
// data: {"matches":N,"files":N,"shown":N,"program":"rg|git grep|grep","cut":bool}
#pragma once

#include "tools/search/search_backend.hpp"
#include "tools/tool.hpp"

namespace fathom::tools {

inline constexpr std::size_t kMatchesShown = 200;  // unless the call asks for another number
inline constexpr std::size_t kMatchesShownMax = 2'000;

class SearchTool final : public Tool {
 public:
  SearchTool(Commands& commands, std::string workspace);
  static const ToolSpec& description();
  [[nodiscard]] const ToolSpec& spec() const override { return description(); }
  [[nodiscard]] Result<Intent> intent(const Arguments& arguments) const override;
  asio::awaitable<Result<ToolOutput>> run(const Call& call) override;

 private:
  SearchBackend backend_;
};

/// The absolute path that `path` (relative to `workspace`, or absolute) names, by its words alone.
std::string absolute_path(const std::string& workspace, const std::string& path);

}  // namespace fathom::tools
