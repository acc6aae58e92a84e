// One call of the git tool, read from its arguments. Pure.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/arguments.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

enum class GitCommand : std::uint8_t {
  status,
  diff,
  log,
  show,
  add,
  commit,
  branch,
  apply,
  restore
};

inline constexpr std::size_t kGitPathsMax = 1'000;
inline constexpr std::int64_t kLogEntriesMax = 1'000;
inline constexpr std::int64_t kLogEntriesDefault = 20;

struct GitRequest {
  GitCommand command = GitCommand::status;
  std::string repository;          ///< folder in the workspace, plain; "" is the workspace
  std::vector<std::string> paths;  ///< in the repository, plain; "" is all of it
  std::string rev;
  std::string message;
  std::string patch;
  std::string name;
  bool staged = false;
  bool switches = false;
  std::size_t max = kLogEntriesDefault;
};

/// `usage` with what to send instead. `workspace` is absolute: a path below it may be given whole.
Result<GitRequest> read_git_request(const Arguments& arguments, std::string_view workspace);

/// Whether it changes files, the index or refs.
[[nodiscard]] bool is_writing(const GitRequest& request);

/// The files that `apply` would write, all of them; what `restore` names, files and folders.
std::vector<std::string> written_paths(const GitRequest& request);

}  // namespace fathom::tools
