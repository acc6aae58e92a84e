// git: status, diff, log, show, add, commit, branch, apply and restore by libgit2, in this process.
// Nothing of the repository is run: no hook, filter, diff driver, helper, pager or signer. What
// needs one (LFS files) is refused with a word about bash, where git runs in the sandbox.
//
// data, by command:
//   status  {"branch","commit","state","staged":[{"path","change"}],"unstaged":[…],"untracked":[…],
//            "conflicted":[…],"submodules":[{"path","commit","head"}],"complete"}
//   diff    {"files":[{"path","change","added","removed","binary"}],"added","removed","cut"}
//   log     {"commits":[{"commit","author","email","time","subject","parents"}],"cut"}
//   show    as one of log with "message" and "files"; or {"type":"blob","bytes","binary"};
//           or {"type":"tree","names"}
//   add     {"staged":[…]}       commit  {"commit","branch","parents"}
//   branch  {"current","branches":[{"name","commit"}]} or {"name","commit","switched"}
//   apply   {"applied":[…],"rejected":[{"line","path","reason"}]}
//   restore {"restored":[…]} or {"unstaged":[…]}
// Paths in it are printable, relative to the repository.
#pragma once

#include "runtime/async/offload.hpp"
#include "runtime/base/paths.hpp"
#include "tools/tool.hpp"

#include <string>

namespace fathom::tools {

class GitTool final : public Tool {
 public:
  /// `workspace` is absolute and without links. `env` is asked for GIT_AUTHOR_NAME and its like.
  GitTool(OffloadPool& offload, std::string workspace, GetEnv env = process_env);
  static const ToolSpec& description();
  [[nodiscard]] const ToolSpec& spec() const override { return description(); }
  /// What lies outside the workspace is asked of the policy: git directories that belong to it (a
  /// linked worktree's, a submodule's) as its own, others and alternates by their path.
  [[nodiscard]] Result<Intent> intent(const Arguments& arguments) const override;
  asio::awaitable<Result<ToolOutput>> run(const Call& call) override;

 private:
  OffloadPool& offload_;
  std::string workspace_;
  GetEnv env_;
};

}  // namespace fathom::tools
