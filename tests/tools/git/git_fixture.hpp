// A workspace that is a repository, and the tool at work in it.
#pragma once

#include "tests/tools/git/tree_fixture.hpp"
#include "tools/git/git_tool.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <map>
#include <string>

namespace fathom::tools::test {

struct GitWorkspace : Workspace {
  /// What GIT_AUTHOR_NAME and its like say. libgit2 is told once that there is no other config than
  /// the repository's.
  std::map<std::string, std::string> environment;
  /// Called whenever the tool asks for a variable: a commit does so when it has opened the
  /// repository and written nothing yet.
  std::function<void()> on_environment;

  GitWorkspace();
  /// Writes a file, adds and commits it with git.
  void commit(std::string_view name, std::string_view bytes) const;

  /// One call of the tool, its arguments as JSON.
  [[nodiscard]] Result<ToolOutput> call(std::string_view arguments) const;
  [[nodiscard]] Result<Intent> intent(std::string_view arguments) const;
  /// What a call that must succeed says, and its data.
  std::string text(std::string_view arguments) const;
  [[nodiscard]] nlohmann::json data(std::string_view arguments) const;
  /// The message of one that must fail.
  [[nodiscard]] std::string error(std::string_view arguments) const;
};

}  // namespace fathom::tools::test
