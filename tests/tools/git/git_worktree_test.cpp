// Repositories whose git directory lies outside the workspace: what the policy is asked, and what
// it answers.
#include "policies/decide.hpp"
#include "sandbox/write_fence.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/tools/git/git_fixture.hpp"

#include <algorithm>
#include <filesystem>
#include <future>
#include <utility>

namespace fathom::tools {
namespace {

namespace fs = std::filesystem;
using policies::Access;
using policies::Verdict;
using test::git;
using test::GitWorkspace;

constexpr std::string_view kStatus = R"({"command":"status"})";
constexpr std::string_view kAdd = R"({"command":"add","paths":["."]})";
constexpr std::string_view kCommit = R"({"command":"commit","message":"m"})";

// A linked worktree as the workspace, of a repository beside it.
struct Linked {
  GitWorkspace main;
  GitWorkspace tree;
  fs::path common = main.root / ".git";

  Linked() {
    main.commit("a", "1\n");
    fs::remove_all(tree.root);
    git(main.root, {"worktree", "add", "-q", "-b", "side", tree.root.string()});
  }
};

// A policy as the default one: the workspace in a home that is hidden.
policies::Policy policy_for(const GitWorkspace& workspace) {
  policies::Policy policy;
  policy.filesystem.home_root = "/";
  policy.filesystem.workspace_root = workspace.root.string();
  return policy;
}

Verdict verdict(const GitWorkspace& workspace, std::string_view call,
                const policies::Policy& policy) {
  const auto intent = workspace.intent(call);
  if (!intent) return Verdict::deny;
  Verdict strictest = Verdict::allow;
  for (const policies::Request& request : intent->requests)
    strictest = std::max(strictest, policies::decide(policy, request).verdict);
  return strictest;
}

TEST_CASE("the policy allows a linked worktree what it allows a plain workspace",
          "[tools][git][e2e]") {
  const Linked linked;
  policies::Policy policy = policy_for(linked.tree);
  for (const std::string_view call : {kStatus, kAdd, kCommit}) {
    INFO(call);
    CHECK(verdict(linked.tree, call, policy) == Verdict::allow);
  }
  policy.filesystem.workspace = Access::read;
  CHECK(verdict(linked.tree, kStatus, policy) == Verdict::allow);
  CHECK(verdict(linked.tree, kAdd, policy) == Verdict::deny);
  CHECK(verdict(linked.tree, kCommit, policy) == Verdict::deny);
}

TEST_CASE("a git directory outside that the policy names is as the policy says",
          "[tools][git][e2e]") {
  const Linked linked;
  for (const std::string& path : {linked.common.string(), (linked.common / "objects").string()}) {
    INFO(path);
    policies::Policy policy = policy_for(linked.tree);
    policy.filesystem.grants = {{path, Access::read, "mine"}};
    CHECK(verdict(linked.tree, kStatus, policy) == Verdict::allow);
    CHECK(verdict(linked.tree, kCommit, policy) == Verdict::deny);
    policy.filesystem.grants = {{path, Access::hidden, "mine"}};
    CHECK(verdict(linked.tree, kStatus, policy) == Verdict::deny);
  }
}

TEST_CASE("a submodule as the workspace is worked in, git directory and all", "[tools][git][e2e]") {
  const GitWorkspace library;
  library.commit("x", "1\n");
  GitWorkspace workspace;
  git(workspace.root, {"submodule", "--quiet", "add", library.root.string(), "lib"});
  const fs::path super = workspace.root;
  workspace.root = super / "lib";
  CHECK(verdict(workspace, kCommit, policy_for(workspace)) == Verdict::allow);
  workspace.write("x", "2\n");
  workspace.environment = {{"GIT_AUTHOR_NAME", "Ann"},
                           {"GIT_AUTHOR_EMAIL", "ann@example.com"},
                           {"GIT_COMMITTER_NAME", "Ann"},
                           {"GIT_COMMITTER_EMAIL", "ann@example.com"}};
  workspace.text(kAdd);
  workspace.text(kCommit);
  CHECK(git(workspace.root, {"log", "-1", "--format=%s"}) == "m\n");
}

TEST_CASE("a linked worktree's entry that points elsewhere opens nothing", "[tools][git][e2e]") {
  const Linked linked;
  const GitWorkspace other;
  fs::remove_all(other.root / ".git");
  const std::string entry = (linked.common / "worktrees" / linked.tree.root.filename()).string();
  other.write(".git", "gitdir: " + entry + "\n");
  CHECK(other.error(kStatus) ==
        "git: .git leads to " + entry + ", which is not the git directory of this folder");
  CHECK_FALSE(other.intent(kCommit));
}

TEST_CASE("a worktree entry in the workspace opens no repository outside", "[tools][git][e2e]") {
  const GitWorkspace victim;
  victim.commit("secret", "s\n");
  const GitWorkspace workspace;
  fs::remove_all(workspace.root / ".git");
  // All that a command can write: an entry that points back, with a way to somebody's repository.
  const fs::path entry = workspace.root / "fake/worktrees/x";
  workspace.write(".git", "gitdir: " + entry.string() + "\n");
  workspace.write("fake/worktrees/x/gitdir", (workspace.root / ".git").string() + "\n");
  workspace.write("fake/worktrees/x/HEAD", "ref: refs/heads/main\n");
  workspace.write("fake/worktrees/x/commondir", (victim.root / ".git").string() + "\n");
  const std::string refused = "git: " + (entry / "commondir").string() + " leads to " +
                              (victim.root / ".git").string() + ": remove it";
  CHECK(workspace.error(kStatus) == refused);
  CHECK_FALSE(workspace.intent(kCommit));

  const GitWorkspace plain;
  plain.commit("a", "1\n");
  plain.write(".git/commondir", (victim.root / ".git").string() + "\n");
  CHECK(plain.error(kStatus).ends_with(" leads to " + (victim.root / ".git").string() +
                                       ": remove it"));
}

TEST_CASE("a git directory that only its config ties to the folder is asked for by its path",
          "[tools][git][e2e]") {
  const GitWorkspace workspace;
  const fs::path moved = workspace.dir / "moved/worktrees/store";
  fs::create_directories(moved.parent_path());
  fs::rename(workspace.root / ".git", moved);
  workspace.write(".git", "gitdir: " + moved.string() + "\n");
  git(workspace.root, {"config", "core.worktree", workspace.root.string()});
  // By the name of its folder the sandbox takes it for a worktree's entry, and that it is not: it
  // stays closed to commands, and so to the tool.
  CHECK(verdict(workspace, kCommit, policy_for(workspace)) == Verdict::deny);
  policies::Policy policy = policy_for(workspace);
  policy.filesystem.grants = {{moved.string(), Access::write, "mine"}};
  CHECK(verdict(workspace, kCommit, policy) == Verdict::allow);
}

TEST_CASE("what is swapped for a link while a commit runs leads nowhere outside",
          "[tools][git][e2e]") {
  const bool fence = std::async(std::launch::async, [] {
                       const auto fencing = sandbox::fence_writes_of_thread({});
                       return fencing && *fencing == sandbox::Fencing::stands;
                     }).get();
  if (!fence) {
    fathom::test::skip("no Landlock that can move files: the git tool's fence was not tested");
    return;
  }
  GitWorkspace workspace;
  workspace.commit("a", "1\n");
  workspace.write("a", "2\n");
  workspace.text(kAdd);
  workspace.dir.write("outside/.bashrc", "mine\n");
  const fs::path reflog = workspace.root / ".git/logs/HEAD";
  const fs::path outside = workspace.dir / "outside/.bashrc";
  bool swapped = false;
  workspace.on_environment = [&] {
    if (std::exchange(swapped, true)) return;
    fs::remove(reflog);
    fs::create_symlink(outside, reflog);
  };
  (void)workspace.call(R"({"command":"commit","message":"m; touch /tmp/x"})");
  CHECK(swapped);
  CHECK(fathom::test::slurp(outside) == "mine\n");
}

}  // namespace
}  // namespace fathom::tools
