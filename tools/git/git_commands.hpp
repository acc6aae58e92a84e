// What the git tool does, one function a command. Blocking; for an offload thread.
#pragma once

#include "runtime/base/paths.hpp"
#include "tools/git/git_request.hpp"
#include "tools/git/repository.hpp"
#include "tools/tool.hpp"

#include <string>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kDiffBytesMax = 4UL << 20;      ///< of one diff's text
inline constexpr std::size_t kStatusPathsMax = 2'000;        ///< listed
inline constexpr std::size_t kLogWalkedMax = 100'000;        ///< commits looked at for one log
inline constexpr std::size_t kRestoredFilesMax = 10'000;     ///< by one restore
inline constexpr std::size_t kGitFileBytesMax = 64UL << 20;  ///< added, restored or patched

/// Which branch, which commit, and what is going on.
struct Head {
  std::string branch;  ///< "" when detached
  std::string commit;  ///< "" when nothing was committed yet
  std::string state;   ///< "merge", "rebase", …; "" when nothing is in progress
};
Result<Head> head_of(const Repository& repository);
std::string short_id(std::string_view hex);
Result<Handle<git_commit>> commit_at(const Repository& repository, const std::string& rev);

/// The name of the filter driver that the attributes give the file (`lfs`); "" when there is none.
/// It is not run: what needs one is refused.
std::string filter_driver(const Repository& repository, const std::string& path);

/// Every file below the request's paths that `restore` may write, for the policy to judge each.
/// `too_large` beyond kRestoredFilesMax.
Result<std::vector<std::string>> restored_files(const Repository& repository,
                                                const GitRequest& request);

Result<ToolOutput> show_status(const Repository& repository, const GitRequest& request);
Result<ToolOutput> show_diff(const Repository& repository, const GitRequest& request);
Result<ToolOutput> show_log(const Repository& repository, const GitRequest& request);
Result<ToolOutput> show_revision(const Repository& repository, const GitRequest& request);
Result<ToolOutput> add_paths(const Repository& repository, const GitRequest& request);
Result<ToolOutput> commit_index(const Repository& repository, const GitRequest& request,
                                const GetEnv& env);
Result<ToolOutput> manage_branches(const Repository& repository, const GitRequest& request);
Result<ToolOutput> apply_patch(const Repository& repository, const GitRequest& request);
Result<ToolOutput> restore_paths(const Repository& repository, const GitRequest& request);

}  // namespace fathom::tools
