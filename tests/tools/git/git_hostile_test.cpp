#include "tests/support/catch.hpp"
#include "tests/tools/git/git_fixture.hpp"
#include "tools/git/git_commands.hpp"

#include <git2.h>
#include <nlohmann/json.hpp>

#include <array>
#include <fstream>

namespace fathom::tools {
namespace {

namespace fs = std::filesystem;
using test::git;
using test::GitWorkspace;

constexpr std::array<std::string_view, 11> kCalls = {
    R"({"command":"status"})",
    R"({"command":"diff"})",
    R"({"command":"diff","rev":"HEAD"})",
    R"({"command":"log"})",
    R"({"command":"show"})",
    R"({"command":"add","paths":["."]})",
    R"({"command":"commit","message":"m"})",
    R"({"command":"branch","name":"made","switch":true})",
    R"({"command":"apply","patch":"--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n"})",
    R"({"command":"restore","paths":["a"]})",
    R"({"command":"restore","paths":["a"],"staged":true})"};

TEST_CASE("nothing that a repository names is run", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  const fs::path ran = workspace.dir / "ran";
  workspace.dir.write("evil", "#!/bin/sh\ntouch '" + ran.string() + "'\ncat\n");
  const std::string evil = (workspace.dir / "evil").string();
  fs::permissions(evil, fs::perms(0755));
  workspace.commit("a", "1\n");
  for (const auto* hook : {"pre-commit", "commit-msg", "prepare-commit-msg", "post-commit",
                           "post-checkout", "reference-transaction", "post-index-change"}) {
    fs::create_directories(workspace.root / ".git/hooks");
    fs::copy_file(evil, workspace.root / ".git/hooks" / hook);
  }
  std::ofstream(workspace.root / ".git/config", std::ios::app)
      << "[core]\n\tfsmonitor = " << evil << "\n\tsshCommand = " << evil
      << "\n\thooksPath = " << workspace.dir.path().string() << "\n\tpager = " << evil
      << "\n\teditor = " << evil << "\n[diff]\n\texternal = " << evil
      << "\n[diff \"evil\"]\n\ttextconv = " << evil << "\n\tcommand = " << evil
      << "\n[credential]\n\thelper = " << evil << "\n[gpg]\n\tprogram = " << evil
      << "\n[commit]\n\tgpgSign = true\n[merge \"evil\"]\n\tdriver = " << evil << "\n";
  workspace.write(".gitattributes", "* diff=evil merge=evil\n");
  workspace.write("b", "new\n");
  for (const std::string_view call : kCalls) {
    INFO(call);
    const auto output = workspace.call(call);
    CHECK(output);
  }
  CHECK_FALSE(fs::exists(ran));
  CHECK(git(workspace.root, {"log", "-1", "--format=%an|%B%G?"}).starts_with("Ann Other|m\n"));
}

TEST_CASE("a file that needs a filter driver is refused, not mangled", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.write(".gitattributes", "*.bin filter=lfs\n");
  workspace.write("x.bin", "large");
  git(workspace.root, {"config", "filter.lfs.clean", "false"});
  CHECK(workspace.error(R"({"command":"add","paths":["x.bin"]})") ==
        "git add: x.bin goes through the filter 'lfs', which is not run here: add it with git in "
        "bash");
}

TEST_CASE("a .git file that leads to somebody else's repository is refused", "[tools][git][e2e]") {
  const GitWorkspace victim;
  victim.commit("secret", "s\n");
  const GitWorkspace workspace;
  fs::remove_all(workspace.root / ".git");
  workspace.write(".git", "gitdir: " + (victim.root / ".git").string() + "\n");
  for (const std::string_view call : kCalls) {
    CHECK_FALSE(workspace.intent(call));
    CHECK(workspace.error(call) == "git: .git leads to " + (victim.root / ".git").string() +
                                       ", which is not the git directory of this folder");
  }
  workspace.write(".git", "gitdir: ../../etc/x/..\n");
  CHECK_FALSE(workspace.call(kCalls[0]));
  fs::remove(workspace.root / ".git");
  fs::create_symlink(victim.root / ".git", workspace.root / ".git");
  CHECK(workspace.error(kCalls[0]) == "git: .git is a link, which is not followed");
}

TEST_CASE("a work tree elsewhere is refused", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  fs::create_directories(workspace.dir / "elsewhere");
  git(workspace.root, {"config", "core.worktree", (workspace.dir / "elsewhere").string()});
  CHECK(workspace.error(kCalls[0]) == "git: the repository's core.worktree is " +
                                          (workspace.dir / "elsewhere").string() +
                                          " and not this folder: unset it");
}

std::vector<std::string> paths_read(const Intent& intent) {
  std::vector<std::string> paths;
  for (const policies::Request& request : intent.requests)
    if (const auto* read = std::get_if<policies::request::ReadPath>(&request))
      paths.push_back(read->path);
  return paths;
}

std::vector<std::string> paths_written(const Intent& intent) {
  std::vector<std::string> paths;
  for (const policies::Request& request : intent.requests)
    if (const auto* write = std::get_if<policies::request::WritePath>(&request))
      paths.push_back(write->path);
  return paths;
}

TEST_CASE("alternates are asked for, and those of alternates too", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  const std::string near = (workspace.root / "near/objects").string();
  const std::string far = (workspace.dir / "far/objects").string();
  workspace.write(".git/objects/info/alternates", "#\r" + near + "\n");
  workspace.write("near/objects/info/alternates", far + "\n");
  const auto intent = workspace.intent(kCalls[0]);
  REQUIRE(intent);
  CHECK(paths_read(*intent) == std::vector<std::string>{workspace.root.string(), near, far});
  CHECK(workspace.call(kCalls[0]));  // what is missing is skipped

  workspace.write("near/objects/info/alternates", "../../far/objects\n");
  CHECK(workspace.error(kCalls[0]) == "git: " + near +
                                          "/info/alternates: '../../far/objects' is relative: give "
                                          "the absolute path");
  workspace.write("near/objects/info/alternates", std::string(100'000, '\n') + far + "\n");
  CHECK_FALSE(workspace.intent(kCalls[0]));
}

TEST_CASE("what was opened is what was inspected", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  fs::create_directories(workspace.dir / "outside");
  // No file of the repository says so, but libgit2 takes it from anywhere.
  workspace.dir.write("home/.gitconfig",
                      "[core]\n\tworktree = " + (workspace.dir / "outside").string() + "\n");
  const std::string home = (workspace.dir / "home").string();
  git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, home.c_str());
  const auto output = workspace.call(kCalls[0]);
  git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, "/nonexistent");
  REQUIRE_FALSE(output);
  CHECK(output.error().message == "git: the repository leads to other folders than its files say");
  CHECK(workspace.call(kCalls[0]));
}

TEST_CASE("a config that includes others is refused", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  fs::create_directories(workspace.dir / "outside");
  workspace.dir.write("outside/secret", "s");
  workspace.write("included",
                  "[core]\n\tworktree = " + (workspace.dir / "outside").string() + "\n");
  const std::string clean = workspace.read(".git/config");
  const std::string path = "\tpath = " + (workspace.root / "included").string() + "\n";
  const std::string error = "git: the repository's config includes other files: use git in bash";
  for (const std::string_view name : {".git/config", ".git/config.worktree"}) {
    for (const std::string_view section :
         {"[include]\n", "[Include]\n", "[includeIf \"gitdir:/**\"]\n"}) {
      INFO(name << section);
      const std::string before = name == ".git/config" ? clean : "";
      workspace.write(name, std::string(before).append(section).append(path));
      for (const std::string_view call : kCalls) {
        CHECK(workspace.error(call) == error);
        CHECK_FALSE(workspace.intent(call));
      }
    }
    workspace.write(name, name == ".git/config" ? clean : "");
  }
  CHECK(workspace.call(kCalls[0]));
}

TEST_CASE("nothing is read through a link in a git directory", "[tools][git][e2e]") {
  const GitWorkspace other;
  other.commit("secret", "precious\n");
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  const std::string id = git(workspace.root, {"rev-parse", "HEAD"});
  const std::string loose = "objects/" + id.substr(0, 2) + "/" + id.substr(2, 38);
  workspace.write(".git/packed-refs", "");
  for (const std::string& name : std::vector<std::string>{
           "objects", "refs", "refs/heads", "refs/heads/main", "HEAD", "index", "packed-refs",
           "config", "info", "objects/info", "objects/pack", "objects/" + id.substr(0, 2), loose}) {
    INFO(name);
    const fs::path path = workspace.root / ".git" / name;
    const fs::path saved = workspace.dir / "saved";
    fs::rename(path, saved);
    fs::create_symlink(fs::exists(other.root / ".git" / name) ? other.root / ".git" / name : saved,
                       path);
    for (const std::string_view call : kCalls) {
      INFO(call);
      CHECK_FALSE(workspace.call(call));
    }
    CHECK_FALSE(workspace.call(R"({"command":"show","rev":"HEAD:secret"})"));
    CHECK_FALSE(workspace.intent(R"({"command":"restore","paths":["."]})"));
    fs::remove(path);
    fs::rename(saved, path);
  }
  CHECK(workspace.call(kCalls[0]));
}

TEST_CASE("links are refused in a common directory and in alternates too", "[tools][git][e2e]") {
  const GitWorkspace other;
  other.commit("secret", "precious\n");
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  const std::string secret = git(other.root, {"rev-parse", "HEAD:secret"});

  SECTION("an alternate in the workspace") {
    fs::create_directories(workspace.root / "near");
    workspace.write(".git/objects/info/alternates", (workspace.root / "near").string() + "\n");
    const std::string folder = secret.substr(0, 2);
    fs::create_directory_symlink(other.root / ".git/objects" / folder,
                                 workspace.root / "near" / folder);
    CHECK(workspace.error(R"({"command":"show","rev":")" + secret.substr(0, 40) + R"("})") ==
          "git: " + (workspace.root / "near" / folder).string() +
              " is a link: a git directory with links in it is not used");
  }
  SECTION("a common directory") {
    fs::rename(workspace.root / ".git", workspace.root / "whole");
    fs::create_directories(workspace.root / ".git");
    fs::copy_file(workspace.root / "whole/HEAD", workspace.root / ".git/HEAD");
    workspace.write(".git/commondir", "../whole\n");
    CHECK(workspace.call(R"({"command":"log"})"));
    fs::rename(workspace.root / "whole/refs", workspace.dir / "refs");
    fs::create_directory_symlink(workspace.dir / "refs", workspace.root / "whole/refs");
    CHECK(workspace.error(R"({"command":"log"})") ==
          "git: " + (workspace.root / "whole/refs").string() +
              " is a link: a git directory with links in it is not used");
  }
}

TEST_CASE("a restore asks for every file below a folder", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("sub/.vscode/tasks.json", "1\n");
  workspace.commit("sub/a", "1\n");
  workspace.commit(".envrc", "1\n");
  git(workspace.root, {"rm", "-q", "--cached", ".envrc"});
  const auto whole = [&](const std::string& name) { return (workspace.root / name).string(); };
  const std::string root = workspace.root.string();

  const auto below = workspace.intent(R"({"command":"restore","paths":["sub"]})");
  REQUIRE(below);
  CHECK(paths_written(*below) == std::vector<std::string>{root, whole("sub"),
                                                          whole("sub/.vscode/tasks.json"),
                                                          whole("sub/a")});
  const auto all = workspace.intent(R"({"command":"restore","paths":["."]})");
  REQUIRE(all);
  CHECK(paths_written(*all) ==
        std::vector<std::string>{root, root, whole("sub/.vscode/tasks.json"), whole("sub/a")});
  const auto of_revision = workspace.intent(R"({"command":"restore","paths":["."],"rev":"HEAD"})");
  REQUIRE(of_revision);
  CHECK(paths_written(*of_revision) == std::vector<std::string>{root, root, whole(".envrc"),
                                                                whole("sub/.vscode/tasks.json"),
                                                                whole("sub/a")});
  const auto unstaging =
      workspace.intent(R"({"command":"restore","paths":["."],"rev":"HEAD","staged":true})");
  REQUIRE(unstaging);
  CHECK(paths_written(*unstaging) == std::vector<std::string>{root});
}

TEST_CASE("a restore of more files than can be asked for is refused", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("one", "1\n");
  for (std::size_t i = 0; i <= kRestoredFilesMax; ++i)
    workspace.write("many/" + std::to_string(i), "");
  git(workspace.root, {"add", "many"});
  const auto intent = workspace.intent(R"({"command":"restore","paths":["."]})");
  REQUIRE_FALSE(intent);
  CHECK(intent.error().message == "git restore: more than 10000 files: name the files");
  CHECK(workspace.error(R"({"command":"restore","paths":["many"]})") == intent.error().message);
  CHECK(workspace.intent(R"({"command":"restore","paths":["one","many/7"]})"));
}

TEST_CASE("a restore writes no name that git would not have made", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.write("xgit/config", "[core]\n\tfsmonitor = evil\n");
  git(workspace.root, {"add", "xgit"});
  const std::string config = workspace.read(".git/config");

  SECTION("in the index") {
    std::string index = workspace.read(".git/index");
    index.resize(index.size() - 20);  // its SHA-1
    index.replace(index.find("xgit/config"), 4, ".git");
    workspace.write("index", index);
    const std::string sum = git(workspace.root, {"-c", "alias.sum=!sha1sum index", "sum"});
    for (std::size_t i = 0; i < 40; i += 2)
      index += static_cast<char>(std::stoi(sum.substr(i, 2), nullptr, 16));
    workspace.write(".git/index", index);
    const std::string_view call = R"({"command":"restore","paths":["."]})";
    CHECK_FALSE(workspace.intent(call));
    CHECK(workspace.error(call) == "git restore: invalid data in index - invalid entry");
  }
  SECTION("in a tree") {
    const std::string tree = git(workspace.root, {"write-tree", "--prefix=xgit"}).substr(0, 40);
    workspace.write("listing", "040000 tree " + tree + "\t.git\n");
    const std::string made =
        git(workspace.root, {"-c", "alias.make=!git mktree <listing", "make"}).substr(0, 40);
    const std::string commit = git(workspace.root, {"commit-tree", "-m", "m", made}).substr(0, 40);
    const std::string call = R"({"command":"restore","paths":["."],"rev":")" + commit + R"("})";
    CHECK_FALSE(workspace.intent(call));
    CHECK(workspace.error(call) == "git restore: invalid path: '.git/config'");
  }
  CHECK(workspace.read(".git/config") == config);
}

TEST_CASE("a patch asks for every path in it, and sets plain modes only", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  workspace.commit("b", "1\n");
  const auto call = [](const std::string& patch) {
    return nlohmann::json{{"command", "apply"}, {"patch", patch}}.dump();
  };
  const auto intent = workspace.intent(
      call("diff --git a/a b/.envrc\nrename from a\nrename to .envrc\n"
           "diff --git a/b b/b\nold mode 100644\nnew mode 100755\n"
           "diff --git a/x b/x\n--- /dev/null\n+++ b/.vscode/tasks.json\n@@ -0,0 +1 @@\n+x\n"
           "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"));
  REQUIRE(intent);
  const auto whole = [&](const std::string& name) { return (workspace.root / name).string(); };
  CHECK(paths_written(*intent) ==
        std::vector<std::string>{workspace.root.string(), whole("a"), whole(".envrc"), whole("b"),
                                 whole("b"), whole(".vscode/tasks.json"), whole("gone")});
  for (const std::string_view mode : {"100777", "104755", "100600", "120000", "160000", "040000"}) {
    INFO(mode);
    CHECK_FALSE(workspace.call(
        call("diff --git a/b b/b\nold mode 100644\nnew mode " + std::string(mode) + "\n")));
    CHECK_FALSE(workspace.call(call("diff --git a/n b/n\nnew file mode " + std::string(mode) +
                                    "\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n")));
    CHECK_FALSE(workspace.has("n"));
  }
  CHECK(workspace.call(call("diff --git a/b b/b\nold mode 100644\nnew mode 100755\n")));
}

TEST_CASE("add of a path that names nothing fails and stages nothing", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("dir/a", "1\n");
  workspace.write("new", "1\n");
  CHECK(workspace.error(R"({"command":"add","paths":["new","nope"]})") ==
        "git add: 'nope' is neither a file nor in the index");
  CHECK(workspace.error(R"({"command":"add","paths":["dir/nope/x"]})") ==
        "git add: 'dir/nope/x' is neither a file nor in the index");
  CHECK(git(workspace.root, {"status", "--porcelain"}) == "?? new\n");
  fs::remove_all(workspace.root / "dir");
  CHECK(workspace.text(R"({"command":"add","paths":["dir"]})") == "1 files staged\n");
}

TEST_CASE("nothing is written to a git directory with links in it", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  const std::string precious = (workspace.dir / "precious").string();
  for (const std::string_view name : {"index", "logs/HEAD", "refs/heads/main", "refs/heads/made",
                                      "HEAD", "objects/pack", "config"}) {
    INFO(name);
    const fs::path path = workspace.root / ".git" / name;
    const fs::path saved = workspace.dir / "saved";
    const bool existed = fs::exists(path);
    if (existed) fs::rename(path, saved);
    std::ofstream(precious) << "precious";
    fs::create_symlink(precious, path);
    for (const std::string_view call : kCalls) (void)workspace.call(call);
    CHECK(fathom::test::slurp(precious) == "precious");
    fs::remove(path);
    if (existed) fs::rename(saved, path);
  }
}

TEST_CASE("no file is read or written through a link in the work tree", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("dir/a", "1\n");
  fs::create_directories(workspace.dir / "outside");
  workspace.dir.write("outside/a", "1\n");
  fs::remove_all(workspace.root / "dir");
  fs::create_directory_symlink(workspace.dir / "outside", workspace.root / "dir");
  CHECK_FALSE(workspace.call(R"({"command":"restore","paths":["dir/a"]})"));
  for (const std::string_view patch : {"--- a/dir/a\n+++ b/dir/a\n@@ -1 +1 @@\n-1\n+2\n",
                                       "--- /dev/null\n+++ b/dir/b\n@@ -0,0 +1 @@\n+2\n"}) {
    const auto output =
        workspace.call(nlohmann::json{{"command", "apply"}, {"patch", patch}}.dump());
    CHECK((!output || output->status == ToolStatus::failed));
  }
  CHECK(fathom::test::slurp(workspace.dir / "outside/a") == "1\n");
  CHECK_FALSE(fs::exists(workspace.dir / "outside/b"));
  workspace.text(R"({"command":"add","paths":["."]})");
  CHECK(git(workspace.root, {"ls-files", "-s"}).starts_with("120000 "));
}

TEST_CASE("what is no repository, or bare, is said so", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  fs::remove_all(workspace.root / ".git");
  CHECK(workspace.error(kCalls[0]) == "git: no git repository here (git init makes one)");
  git(workspace.root, {"init", "-q", "--bare"});
  CHECK(workspace.error(kCalls[0]) == "git: a bare repository has no files to work on");
  fs::remove_all(workspace.root);
  fs::create_directories(workspace.root);
  workspace.write(".git/HEAD", "not a head");
  CHECK_FALSE(workspace.call(kCalls[0]));
  workspace.write(".git/config", "[core\n");
  CHECK_FALSE(workspace.call(kCalls[0]));
}

TEST_CASE("a damaged repository gives errors and no more", "[tools][git][e2e]") {
  const GitWorkspace workspace;
  workspace.commit("a", "1\n");
  for (const std::string_view name : {"index", "HEAD", "refs/heads/main"}) {
    const std::string saved = workspace.read(".git/" + std::string(name));
    for (const std::string_view bytes : {"", "garbage", "ref: refs/heads/../../x\n"}) {
      workspace.write(".git/" + std::string(name), bytes);
      for (const std::string_view call : kCalls)
        if (const auto output = workspace.call(call); !output)
          CHECK_FALSE(output.error().message.empty());
    }
    workspace.write(".git/" + std::string(name), saved);
  }
}

}  // namespace
}  // namespace fathom::tools
