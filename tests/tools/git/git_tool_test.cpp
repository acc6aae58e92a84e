#include "tools/git/git_tool.hpp"

#include "tests/support/catch.hpp"
#include "tests/tools/git/git_fixture.hpp"

#include <nlohmann/json.hpp>

namespace fathom::tools {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using test::git;
using test::GitWorkspace;

std::string patch_call(const std::string& patch) {
  return Json{{"command", "apply"}, {"patch", patch}}.dump();
}

TEST_CASE("status tells an empty repository from a changed one", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  CHECK(workspace.text(R"({"command":"status"})") == "## main (no commits yet)\n");
  workspace.commit("a", "1");
  workspace.write("a", "2");
  workspace.write("new/x", "1");
  workspace.write("b", "1");
  git(workspace.root, {"add", "b"});
  CHECK(workspace.text(R"({"command":"status"})") == "## main\n M a\nA  b\n?? new/\n");
  const Json data = workspace.data(R"({"command":"status"})");
  CHECK(data["branch"] == "main");
  CHECK(data["staged"] == Json::parse(R"([{"path":"b","change":"added"}])"));
  CHECK(data["unstaged"] == Json::parse(R"([{"path":"a","change":"modified"}])"));
  CHECK(data["untracked"] == Json::parse(R"(["new/"])"));
  CHECK(workspace.text(R"({"command":"status","paths":["a"]})") == "## main\n M a\n");
}

TEST_CASE("a detached head and a merge are named", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1");
  git(workspace.root, {"checkout", "-q", "--detach"});
  CHECK(workspace.text(R"({"command":"status"})").starts_with("## HEAD (detached at "));
  git(workspace.root, {"checkout", "-q", "-b", "side"});
  workspace.commit("a", "side");
  git(workspace.root, {"checkout", "-q", "main"});
  workspace.commit("a", "main");
  git(workspace.root, {"merge", "side"});
  CHECK(workspace.text(R"({"command":"status"})") == "## main (merge in progress)\nUU a\n");
  CHECK(workspace.error(R"({"command":"commit","message":"m"})") ==
        "git commit: not merged yet: a (edit, then add them)");
  workspace.write("a", "merged");
  workspace.text(R"({"command":"add","paths":["a"]})");
  const Json data = workspace.data(R"({"command":"commit"})");
  CHECK(data["parents"].size() == 2);
  CHECK(git(workspace.root, {"log", "-1", "--format=%an <%ae>|%cn|%B"}) ==
        "Ann Other <ann@example.com>|Ann Other|Merge branch 'side'\n\n");
  CHECK(git(workspace.root, {"status", "--porcelain"}).empty());
  CHECK_FALSE(workspace.has(".git/MERGE_HEAD"));
}

TEST_CASE("add and commit make what git would make", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.write(".gitignore", "*.o\n");
  workspace.write("dir/a.c", "1\n");
  workspace.write("dir/a.o", "1\n");
  workspace.write("run", "#!\n");
  fs::permissions(workspace.root / "run", fs::perms(0755));
  fs::create_symlink("dir/a.c", workspace.root / "link");
  CHECK(workspace.text(R"({"command":"add","paths":["."]})") == "4 files staged\n");
  workspace.text(R"({"command":"commit","message":"first\n\n  body  \n"})");
  CHECK(git(workspace.root, {"status", "--porcelain"}).empty());
  CHECK(git(workspace.root, {"ls-tree", "-r", "HEAD", "--format=%(objectmode) %(path)"}) ==
        "100644 .gitignore\n100644 dir/a.c\n120000 link\n100755 run\n");
  CHECK(git(workspace.root, {"log", "-1", "--format=%B"}) == "first\n\n  body\n\n");
  git(workspace.root, {"fsck", "--strict"});

  fs::remove(workspace.root / "link");
  CHECK(workspace.data(R"({"command":"add","paths":["link"]})")["staged"] == Json{"link"});
  CHECK(git(workspace.root, {"status", "--porcelain"}) == "D  link\n");
  CHECK(workspace.error(R"({"command":"add","paths":["dir/a.o"]})") ==
        "git add: dir/a.o is ignored (.gitignore)");
}

TEST_CASE("nobody commits without a name, and nothing is added to a message", "[tools][git][e2e]") {
  GitWorkspace workspace;
  git(workspace.root, {"config", "--unset", "user.name"});
  workspace.write("a", "1");
  workspace.text(R"({"command":"add","paths":["a"]})");
  CHECK(workspace.error(R"({"command":"commit","message":"m"})") ==
        "git commit: nobody to commit as: set user.name and user.email (git config)");
  workspace.environment = {{"GIT_AUTHOR_NAME", "From Env"}, {"GIT_COMMITTER_NAME", "Also Env"}};
  workspace.text(R"({"command":"commit","message":"m"})");
  CHECK(git(workspace.root, {"log", "--format=%an %ae %cn|%B"}) ==
        "From Env ann@example.com Also Env|m\n\n");
  CHECK(workspace.error(R"({"command":"commit","message":"again"})") ==
        "git commit: nothing is staged (use add first)");
  CHECK(workspace.error(R"({"command":"commit"})") == "git commit: 'message' is missing");
}

TEST_CASE("diff shows the work tree, what is staged, and between commits", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  workspace.commit("b", "1\n");
  workspace.write("a", "2\n");
  workspace.write("b", "2\n");
  git(workspace.root, {"add", "b"});
  const Json unstaged = workspace.data(R"({"command":"diff"})");
  REQUIRE(unstaged["files"].size() == 1);
  CHECK(unstaged["files"][0]["path"] == "a");
  CHECK(unstaged["added"] == 1);
  const std::string text = workspace.text(R"({"command":"diff","staged":true})");
  CHECK(text == git(workspace.root, {"diff", "--cached"}));
  CHECK(workspace.data(R"({"command":"diff","rev":"HEAD"})")["files"].size() == 2);
  CHECK(workspace.data(R"({"command":"diff","rev":"HEAD~1..HEAD"})")["files"].size() == 1);
  CHECK(workspace.data(R"({"command":"diff","rev":"HEAD","paths":["b"]})")["files"].size() == 1);
  CHECK(workspace.error(R"({"command":"diff","rev":"nope"})") == "git: no revision 'nope'");
}

TEST_CASE("log and show tell of commits, files and folders as they were", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  CHECK(workspace.error(R"({"command":"log"})") ==
        "git: no revision 'HEAD': nothing was committed yet");
  workspace.commit("dir/a", "1\n");
  workspace.commit("b", "1\n");
  workspace.commit("dir/a", "2\n");
  const Json log = workspace.data(R"({"command":"log","paths":["dir"]})");
  REQUIRE(log["commits"].size() == 2);
  CHECK(log["commits"][0]["subject"] == "add dir/a");
  CHECK(log["commits"][0]["author"] == "A U Thor");
  CHECK(workspace.data(R"({"command":"log","max":1})")["cut"] == true);
  CHECK(workspace.data(R"({"command":"log","rev":"HEAD~1..HEAD"})")["commits"].size() == 1);
  CHECK(workspace.text(R"({"command":"show","rev":"HEAD~1:dir/a"})") == "1\n");
  CHECK(workspace.text(R"({"command":"show","rev":"HEAD:"})") == "b\ndir/\n");
  const std::string shown = workspace.text(R"({"command":"show"})");
  CHECK(shown.find("    add dir/a\n\ndiff --git a/dir/a b/dir/a\n") != std::string::npos);
  CHECK(shown.find("\n-1\n+2\n") != std::string::npos);
}

TEST_CASE("branch lists, makes, and is on a branch of the same commit", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1");
  workspace.commit("a", "2");
  workspace.text(R"({"command":"branch","name":"old","rev":"HEAD~1"})");
  workspace.text(R"({"command":"branch","name":"work","switch":true})");
  CHECK(git(workspace.root, {"branch", "--format=%(HEAD)%(refname:short)"}) ==
        " main\n old\n*work\n");
  CHECK(workspace.data(R"({"command":"branch"})")["current"] == "work");
  CHECK(workspace.error(R"({"command":"branch","name":"old","switch":true})") ==
        "git branch: 'old' is another commit than HEAD: use git switch in bash");
  CHECK(workspace.error(R"({"command":"branch","name":"-x"})") ==
        "git branch: '-x' is no name of a branch");
}

TEST_CASE("apply changes all files of a patch, or none", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n2\n3\n");
  workspace.commit("sub/gone", "x\n");
  workspace.commit("moved", "m\n");
  fs::create_directories(workspace.root / "deep");
  git(workspace.root, {"mv", "moved", "deep/er"});
  workspace.write("a", "1\ntwo\n3\n");
  fs::permissions(workspace.root / "a", fs::perms(0755));
  fs::remove(workspace.root / "sub/gone");
  workspace.write("sub/new", "n\n");
  git(workspace.root, {"add", "-A"});
  const auto wanted = test::tree_of(workspace.root);
  const std::string patch = git(workspace.root, {"diff", "--cached", "-M", "HEAD"});
  git(workspace.root, {"reset", "-q", "--hard"});
  const auto before = test::tree_of(workspace.root);

  workspace.write("a", "1\n2 \n3\n");
  const auto refused = workspace.call(patch_call(patch));
  REQUIRE(refused);
  CHECK(refused->status == ToolStatus::failed);
  CHECK(refused->digest == "git apply: nothing was applied, 1 rejected");
  CHECK(refused->text.text().ends_with(": a: its lines are not in the file\n"));
  workspace.write("a", "1\n2\n3\n");
  CHECK(test::tree_of(workspace.root) == before);

  const auto applied = workspace.call(patch_call(patch));
  REQUIRE(applied);
  CHECK(applied->changed ==
        std::vector<std::string>{"a", "deep/er", "moved", "sub/gone", "sub/new"});
  auto found = test::tree_of(workspace.root);
  found.erase("sub");
  auto expected = wanted;
  expected.erase("sub");
  CHECK(found == expected);
}

TEST_CASE("a patch that fails half way leaves the files as they were", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.write("a", "1\n");
  workspace.write("z", "a file, and the patch wants a folder\n");
  const std::string error = workspace.error(patch_call(
      "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n--- /dev/null\n+++ b/z/in\n@@ -0,0 +1 @@\n+x\n"));
  CHECK(error.find("z") != std::string::npos);
  CHECK(workspace.read("a") == "1\n");
}

TEST_CASE("restore brings back files from the index or a revision", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("dir/a", "1\n");
  workspace.commit("dir/a", "2\n");
  workspace.commit("b", "1\n");
  workspace.write("dir/a", "mine\n");
  fs::remove(workspace.root / "b");
  const auto restored = workspace.call(R"({"command":"restore","paths":["dir","b"]})");
  REQUIRE(restored);
  CHECK(restored->changed == std::vector<std::string>{"b", "dir/a"});
  CHECK(git(workspace.root, {"status", "--porcelain"}).empty());
  workspace.text(R"({"command":"restore","paths":["dir/a"],"rev":"HEAD~2"})");
  CHECK(workspace.read("dir/a") == "1\n");
  CHECK(workspace.error(R"({"command":"restore","paths":["nope"]})") ==
        "git restore: 'nope' is not in the index");
  git(workspace.root, {"add", "-A"});
  workspace.write("c", "new");
  git(workspace.root, {"add", "c"});
  workspace.text(R"({"command":"restore","paths":["."],"staged":true})");
  CHECK(git(workspace.root, {"status", "--porcelain"}) == " M dir/a\n?? c\n");
}

TEST_CASE("line ends follow the attributes in both directions", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit(".gitattributes", "*.txt text eol=crlf\n");
  workspace.write("a.txt", "1\r\n2\r\n");
  workspace.text(R"({"command":"add","paths":["a.txt"]})");
  CHECK(git(workspace.root, {"cat-file", "-p", ":a.txt"}) == "1\n2\n");
  fs::remove(workspace.root / "a.txt");
  workspace.text(R"({"command":"restore","paths":["a.txt"]})");
  CHECK(workspace.read("a.txt") == "1\r\n2\r\n");
}

TEST_CASE("submodules are shown and not looked into", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  fs::create_directories(workspace.dir / "library");
  git(workspace.dir / "library", {"init", "-q"});
  workspace.dir.write("library/x", "1");
  git(workspace.dir / "library", {"add", "x"});
  git(workspace.dir / "library", {"commit", "-q", "-m", "x"});
  git(workspace.root, {"submodule", "--quiet", "add", (workspace.dir / "library").string(), "lib"});
  git(workspace.root, {"commit", "-q", "-m", "add lib"});
  workspace.write("lib/x", "changed");
  CHECK(workspace.text(R"({"command":"status"})") == "## main\n");
  const Json clean = workspace.data(R"({"command":"status"})");
  REQUIRE(clean["submodules"].size() == 1);
  CHECK(clean["submodules"][0]["commit"] == clean["submodules"][0]["head"]);
  CHECK(workspace.text(R"({"command":"status","repository":"lib"})") == "## main\n M x\n");
  git(workspace.root / "lib", {"commit", "-q", "-a", "-m", "y"});
  CHECK(workspace.text(R"({"command":"status"})").find(" M lib (submodule: ") != std::string::npos);
}

TEST_CASE("a linked worktree works, and what is outside is asked for", "[tools][git][e2e]") {
  const GitWorkspace main;
  main.commit("a", "1\n");
  GitWorkspace linked;
  fs::remove_all(linked.root);
  git(main.root, {"worktree", "add", "-q", "-b", "side", linked.root.string()});
  CHECK(linked.text(R"({"command":"status"})") == "## side\n");
  const auto intent = linked.intent(R"({"command":"commit","message":"m"})");
  REQUIRE(intent);
  CHECK(intent->effect == Effect::write);
  std::vector<std::string> written;
  for (const policies::Request& request : intent->requests) {
    if (const auto* path = std::get_if<policies::request::WritePath>(&request))
      written.push_back(path->path);
    if (const auto* git = std::get_if<policies::request::UseGit>(&request))
      written.push_back("git " + git->path + (git->writes ? " writes" : ""));
  }
  CHECK(written == std::vector<std::string>{linked.root.string(),
                                            "git " + (main.root / ".git").string() + " writes"});
  linked.write("a", "2\n");
  linked.text(R"({"command":"add","paths":["a"]})");
  linked.text(R"({"command":"commit","message":"side"})");
  CHECK(git(main.root, {"log", "-1", "--format=%s", "side"}) == "side\n");
}

TEST_CASE("a call says what it reads and writes before it runs", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  CHECK(workspace.intent(R"({"command":"log"})")->effect == Effect::read);
  CHECK(workspace.intent(R"({"command":"branch"})")->effect == Effect::read);
  CHECK(workspace.intent(R"({"command":"branch","name":"x"})")->effect == Effect::write);
  const auto intent =
      workspace.intent(patch_call("--- /dev/null\n+++ b/.vscode/tasks.json\n@@ -0,0 +1 @@\n+x\n"));
  REQUIRE(intent);
  const auto* last = std::get_if<policies::request::WritePath>(&intent->requests.back());
  REQUIRE(last);
  CHECK(last->path == (workspace.root / ".vscode/tasks.json").string());
}

TEST_CASE("what a command does not take is said before anything is done", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  CHECK(workspace.error(R"({"command":"status","patch":"x"})") == "git status: takes no 'patch'");
  CHECK(workspace.error(R"({"command":"add"})") == "git add: 'paths' is missing");
  CHECK(workspace.error(R"({"command":"add","paths":[]})") ==
        "git add: 'paths' is empty ([\".\"] means all)");
  CHECK(workspace.error(R"({"command":"add","paths":["../x"]})") ==
        "git: '../x': '..' is not taken, give the path from the repository's root");
  CHECK(workspace.error(R"({"command":"restore","paths":[".git/config"]})") ==
        "git: '.git/config': what is in .git is not for this");
  workspace.commit("a", "1");
  const std::string whole = (workspace.root / "a").string();
  CHECK(workspace.text(Json{{"command", "add"}, {"paths", {whole}}}.dump()) == "0 files staged\n");
}

}  // namespace
}  // namespace fathom::tools
