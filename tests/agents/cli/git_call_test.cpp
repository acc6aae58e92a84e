// The git tool through the one path of every call: policy, snapshot, trace.
#include "agents/cli/tool_command.hpp"
#include "tests/agents/cli/desk.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

using namespace fathom;
using nlohmann::json;
using test::Desk;
using test::ProgramResult;

namespace {

const json kAdd = {{"command", "add"}, {"paths", {"."}}};
const json kCommit = {{"command", "commit"}, {"message", "m"}};
const json kStatus = {{"command", "status"}};

// The workspace is a linked worktree; the repository is beside it, in the home that is hidden.
struct LinkedDesk : Desk {
  std::string main = home + "/main";

  LinkedDesk() {
    git({"init", "-q", main});
    git({"-C", main, "commit", "-q", "--allow-empty", "-m", "first"});
    std::filesystem::remove(repo);
    git({"-C", main, "worktree", "add", "-q", "-b", "side", repo});
    write("a.txt", "one\n");
  }
  [[nodiscard]] std::string subject() const {
    return git({"-C", main, "log", "-1", "--format=%s", "side"});
  }
};

}  // namespace

TEST_CASE("the git tool commits in a linked worktree, as git in bash does", "[agents][e2e]") {
  const LinkedDesk desk;
  CHECK(desk.call("git", kStatus).exit_code == 0);
  CHECK(desk.call("git", kAdd).exit_code == 0);
  const ProgramResult committed = desk.call("git", kCommit);
  INFO(committed.out + committed.err);
  CHECK(committed.exit_code == 0);
  CHECK(desk.subject() == "m\n");
  CHECK(desk.bash("git commit -q --allow-empty -m in-bash").exit_code == 0);
  CHECK(desk.subject() == "in-bash\n");
}

TEST_CASE("the git directory of a linked worktree is open to git and to nothing else",
          "[agents][e2e]") {
  const LinkedDesk desk;
  const std::string hook = desk.main + "/.git/hooks/pre-commit";
  const ProgramResult made =
      desk.call("str_replace_editor", {{"command", "create"}, {"path", hook}, {"file_text", "x"}});
  CHECK(made.exit_code != 0);
  (void)desk.bash("echo x > " + hook + "; git config core.fsmonitor ./x");
  CHECK_FALSE(std::filesystem::exists(hook));
  CHECK_FALSE(test::slurp(desk.main + "/.git/config").contains("fsmonitor"));
}

TEST_CASE("where the workspace may only be read, its git directory outside may only be read",
          "[agents][e2e]") {
  const LinkedDesk desk;
  CHECK(desk.call("git", kStatus, {"--policy", "readonly"}).exit_code == 0);
  CHECK(desk.call("git", kAdd, {"--policy", "readonly"}).exit_code == 13);
  const std::vector<std::string> readonly = {"--policy", "readonly"};
  (void)desk.call("bash", {{"command", "git commit --allow-empty -m no"}}, readonly);
  CHECK(desk.subject() == "first\n");
}

TEST_CASE("a .git file that leads to a repository which does not know the folder is refused",
          "[agents][e2e]") {
  const LinkedDesk desk;
  const std::string before = desk.subject();
  std::filesystem::remove(desk.repo + "/.git");
  desk.write(".git", "gitdir: " + desk.main + "/.git\n");
  for (const json& call : {kStatus, kAdd, kCommit}) {
    const ProgramResult refused = desk.call("git", call);
    CHECK(refused.exit_code != 0);
    CHECK(refused.out.find("not the git directory of this folder") != std::string::npos);
  }
  CHECK(desk.subject() == before);
}

TEST_CASE("what a call did to .git is told apart from what undo takes back", "[agents][e2e]") {
  const LinkedDesk desk;
  const ProgramResult both =
      desk.bash("echo two > a.txt && git add -A && git commit -q -m in-bash");
  INFO(both.err);
  CHECK(both.exit_code == 0);
  CHECK(both.err.contains(".git: HEAD was "));
  CHECK(both.err.contains(" takes the files back)"));
  const ProgramResult only_git = desk.bash("git commit -q --allow-empty -m again");
  CHECK(only_git.err.contains("; undo moves no branch"));
  CHECK_FALSE(only_git.err.contains("back)"));
  const ProgramResult only_files = desk.bash("echo three > a.txt");
  CHECK_FALSE(only_files.err.contains(".git: "));
  CHECK(only_files.err.contains(" takes it back)"));
}
