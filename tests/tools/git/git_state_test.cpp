#include "tools/git/git_state.hpp"

#include "tests/support/catch.hpp"
#include "tests/tools/git/git_fixture.hpp"

#include <filesystem>

namespace fathom::tools {
namespace {

namespace fs = std::filesystem;
using test::git;
using test::GitWorkspace;

using Lines = std::vector<std::string>;

GitState look(const GitWorkspace& workspace) { return look_at_git(workspace.root.string()); }

std::string head_of(const GitWorkspace& workspace) {
  return git(workspace.root, {"rev-parse", "HEAD"}).substr(0, 40);
}

TEST_CASE("a repository is seen with its branch and commit, loose or packed", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  CHECK(look(workspace) ==
        GitState{GitPresence::whole, "refs/heads/main", "", look(workspace).refs});
  workspace.commit("a", "1\n");
  const GitState loose = look(workspace);
  CHECK(loose.presence == GitPresence::whole);
  CHECK(loose.head == "refs/heads/main");
  CHECK(loose.commit == head_of(workspace));
  CHECK(loose.refs.size() == 40);
  git(workspace.root, {"gc", "-q"});
  CHECK(look(workspace) == loose);
  git(workspace.root, {"checkout", "-q", "--detach"});
  CHECK(look(workspace).head == loose.commit);
  CHECK(git_changes(loose, look(workspace)) ==
        Lines{"HEAD was main at " + loose.commit.substr(0, 12) + " and is " +
              loose.commit.substr(0, 12) + "; undo moves no branch"});
}

TEST_CASE("what git does by itself while it only looks is no change", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  const GitState before = look(workspace);
  workspace.write("b", "2\n");
  git(workspace.root, {"status"});
  git(workspace.root, {"add", "b"});
  git(workspace.root, {"pack-refs", "--all"});
  CHECK(git_changes(before, look(workspace)) == Lines{});
}

TEST_CASE("commits, branches, tags and stashes are changes", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  const GitState before = look(workspace);
  const Lines others = {"branches, tags or the stash were changed; undo leaves them"};
  git(workspace.root, {"branch", "deep/er/side"});
  CHECK(git_changes(before, look(workspace)) == others);
  git(workspace.root, {"branch", "-d", "-q", "deep/er/side"});
  CHECK(git_changes(before, look(workspace)) == Lines{});
  git(workspace.root, {"tag", "v1"});
  CHECK(git_changes(before, look(workspace)) == others);
  git(workspace.root, {"tag", "-d", "v1"});
  workspace.write("a", "2\n");
  git(workspace.root, {"stash", "-q"});
  CHECK(git_changes(before, look(workspace)) == others);
  workspace.commit("b", "2\n");
  CHECK(git_changes(before, look(workspace)) ==
        Lines{"HEAD was main at " + before.commit.substr(0, 12) + " and is main at " +
              head_of(workspace).substr(0, 12) + "; undo moves no branch"});
}

TEST_CASE("a repository that is gone, wholly or in part, is said to be lost", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  const GitState before = look(workspace);
  const std::string was = "; HEAD was main at " + before.commit.substr(0, 12) +
                          ", and its history is only where it was pushed or copied";
  const std::string part =
      "HEAD, branches or objects were removed, and undo cannot bring them back" + was;
  const fs::path kept = workspace.dir / "kept";
  fs::copy(workspace.root / ".git", kept, fs::copy_options::recursive);
  const auto without = [&](const char* name) {
    fs::remove_all(workspace.root / ".git");
    fs::copy(kept, workspace.root / ".git", fs::copy_options::recursive);
    CHECK(look(workspace) == before);
    fs::remove_all(workspace.root / ".git" / name);
    return git_changes(before, look(workspace));
  };
  CHECK(without("HEAD") == Lines{part});
  CHECK(without("objects") == Lines{part});
  CHECK(without("refs") == Lines{part});
  CHECK(without(("objects/" + before.commit.substr(0, 2)).c_str()) == Lines{part});
  CHECK(without("") == Lines{"the repository was removed, and undo cannot bring it back" + was});
  CHECK(look(workspace).presence == GitPresence::none);
  CHECK(git_changes(look(workspace), before) ==
        Lines{"the repository was made since; undo leaves it"});
}

TEST_CASE("a linked worktree is seen with its own HEAD and the common branches",
          "[tools][git][e2e]") {
  const GitWorkspace main;
  main.commit("a", "1\n");
  const GitWorkspace linked;
  fs::remove_all(linked.root);
  git(main.root, {"worktree", "add", "-q", "-b", "side", linked.root.string()});
  const GitState state = look(linked);
  CHECK(state.presence == GitPresence::whole);
  CHECK(state.head == "refs/heads/side");
  CHECK(state.commit == head_of(main));
  CHECK(state.refs == look(main).refs);
}

TEST_CASE("hostile names and links in a git directory are looked at without harm",
          "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  const GitState before = look(workspace);
  fs::remove(workspace.root / ".git/HEAD");
  fs::create_symlink("/etc/passwd", workspace.root / ".git/HEAD");
  CHECK(look(workspace).presence == GitPresence::broken);
  CHECK(look(workspace).head.empty());
  fs::remove(workspace.root / ".git/HEAD");
  workspace.write(".git/HEAD", "ref: refs/heads/\x1b[2J\n");
  for (const std::string& line : git_changes(before, look(workspace)))
    CHECK(line.find('\x1b') == std::string::npos);
  fs::create_symlink("..", workspace.root / ".git/refs/heads/round");
  CHECK(look(workspace).presence == GitPresence::whole);
}

TEST_CASE("of what is not known nothing is claimed", "[tools][git]") {
  const GitState unknown;
  const GitState none{GitPresence::none, "", "", ""};
  const GitState whole{GitPresence::whole, "refs/heads/main", "", "x"};
  CHECK(git_changes(unknown, whole).empty());
  CHECK(git_changes(whole, unknown).empty());
  CHECK(git_changes(none, none).empty());
  GitState many = whole;
  many.refs = "";
  CHECK(git_changes(whole, many).empty());
  for (const auto presence :
       {GitPresence::unknown, GitPresence::none, GitPresence::broken, GitPresence::whole})
    CHECK(git_presence_from(name_of(presence)) == presence);
  CHECK(git_presence_from("later") == GitPresence::unknown);
}

}  // namespace
}  // namespace fathom::tools
