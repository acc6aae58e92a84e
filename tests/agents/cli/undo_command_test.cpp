#include "agents/cli/undo_command.hpp"

#include "tests/agents/cli/desk.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

using namespace fathom;
using nlohmann::json;
using test::Desk;
using test::ProgramResult;

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// A repository with one commit.
struct Repository : Desk {
  Repository() {
    git({"init", "-q", repo});
    write("a.txt", "one\n");
    write(".gitignore", "*.log\n");
    git({"-C", repo, "add", "."});
    git({"-C", repo, "commit", "-q", "-m", "first"});
  }
  [[nodiscard]] ProgramResult undo(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"undo", "--repo", repo};
    args.insert(args.end(), more.begin(), more.end());
    return fathom(args);
  }
  [[nodiscard]] std::string head() const {
    return git({"-C", repo, "rev-parse", "HEAD"}).substr(0, 12);
  }
};

}  // namespace

TEST_CASE("undo of files in a repository says nothing of .git", "[agents][e2e]") {
  const Repository desk;
  CHECK(desk.bash("echo two > a.txt; git status").exit_code == 0);
  const ProgramResult undone = desk.undo();
  CHECK(undone.exit_code == 0);
  CHECK_FALSE(has(undone.err, "not restored"));
  CHECK(desk.file("a.txt") == "one\n");
}

TEST_CASE("undo after rm -rf .git brings the files back and says what is lost", "[agents][e2e]") {
  const Repository desk;
  const std::string head = desk.head();
  // Where mounts keep hooks and config in place, rm says so and takes the history all the same.
  (void)desk.bash("echo two > a.txt; rm -rf .git");
  const ProgramResult planned = desk.undo({"--dry-run"});
  CHECK(has(planned.out, "would not restore .git: "));
  const ProgramResult undone = desk.undo({"--json"});
  CHECK(undone.exit_code == 74);
  CHECK(desk.file("a.txt") == "one\n");
  const json said = json::parse(undone.out);
  CHECK(said["changed"] == json{"a.txt"});
  REQUIRE(said["not_restored"].size() == 1);
  CHECK(said["not_restored"][0]["path"] == ".git");
  const std::string reason = said["not_restored"][0]["reason"];
  CHECK(has(reason, "undo cannot bring "));
  CHECK(has(reason, "HEAD was main at " + head));
}

TEST_CASE("a run that destroyed nothing but .git is found, and no success is claimed",
          "[agents][e2e]") {
  const Repository desk;
  (void)desk.bash("rm -rf .git/objects .git/refs .git/HEAD");
  const ProgramResult undone = desk.undo();
  CHECK(undone.exit_code == 74);
  CHECK(has(undone.err, "not restored: .git: "));
  CHECK(has(undone.err, "nothing was taken back"));
  CHECK_FALSE(has(undone.err, "takes this back"));
}

TEST_CASE("undo after a commit takes the files back and says where HEAD was", "[agents][e2e]") {
  const Repository desk;
  const std::string before = desk.head();
  CHECK(desk.bash("echo two > a.txt; git commit -qam second").exit_code == 0);
  const ProgramResult undone = desk.undo();
  CHECK(undone.exit_code == 74);
  CHECK(desk.file("a.txt") == "one\n");
  CHECK(has(undone.err,
            "not restored: .git: HEAD was main at " + before + " and is main at " + desk.head()));
  CHECK(has(undone.err, "but not all of it is"));
}

TEST_CASE("a run that only committed is undone by hand, and then there is nothing to undo",
          "[agents][e2e]") {
  const Repository desk;
  CHECK(desk.bash("git commit -q --allow-empty -m second").exit_code == 0);
  const ProgramResult undone = desk.undo();
  CHECK(undone.exit_code == 74);
  CHECK(has(undone.err, "HEAD was main at "));
  CHECK(has(undone.err, "an earlier run has to be named"));
  desk.git({"-C", desk.repo, "reset", "-q", "--soft", "HEAD^"});
  CHECK(desk.undo().exit_code == 66);
}

TEST_CASE("what the user did to .git since is not laid to the run", "[agents][e2e]") {
  const Repository desk;
  CHECK(desk.bash("echo two > b.txt").exit_code == 0);
  desk.git({"-C", desk.repo, "commit", "-q", "--allow-empty", "-m", "mine"});
  const ProgramResult undone = desk.undo();
  CHECK(undone.exit_code == 0);
  CHECK_FALSE(has(undone.err, "not restored"));
}

TEST_CASE("undo of a run that only changed ignored files claims nothing", "[agents][e2e]") {
  const Repository desk;
  const json called =
      json::parse(desk.call("bash", {{"command", "echo x > x.log"}}, {"--json"}).out);
  const ProgramResult newest = desk.undo();
  CHECK(newest.exit_code == 66);
  CHECK(has(newest.err, "ignored files are not looked at"));
  const ProgramResult named = desk.fathom({"undo", called["run"].get<std::string>()});
  CHECK(named.exit_code == 0);
  CHECK(has(named.err, "nothing was taken back"));
  CHECK(has(named.err, "ignored files are not looked at"));
  CHECK(desk.file("x.log") == "x\n");
}
