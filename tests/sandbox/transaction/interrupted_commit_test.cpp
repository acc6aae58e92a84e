// A commit killed before each of its steps, and at the moments within one.
#include "tests/sandbox/transaction/hand_made.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_in_child.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace fathom::sandbox {
namespace {

namespace fs = std::filesystem;
using test::HandMade;

void fill(HandMade& made) {
  for (const char* path :
       {"changed", "gone", "gone-folder/in/x", "becomes-folder", "becomes-file/x"})
    made.lower(path, "old\n");
  made.begin();
  made.upper("changed", "new\n");
  made.upper("added/file", "x");
  made.upper_mode("added", 0750);
  made.upper_link("added/link", "file");
  made.whiteout("gone");
  made.whiteout("gone-folder");
  made.upper("becomes-folder/x", "x");
  made.upper("becomes-file", "x");
}

// Commits in a child that is killed before step `last`; false when it got to the end.
bool commit_killed_before(HandMade& made, std::size_t last) {
  const std::string id = made.transaction().id();
  made.release();
  const test::Death death = test::run_in_child([&](int) {
    auto opened = Transaction::open(made.state(), id, Transaction::Use::exclusive);
    if (!opened) ::_exit(2);
    CommitOptions options = made.options();
    options.before_step = [last](std::size_t step) {
      if (step == last) ::kill(::getpid(), SIGKILL);
    };
    ::_exit(opened->commit(options) ? 0 : 3);
  });
  if (WIFSIGNALED(death.status)) return true;
  REQUIRE(WEXITSTATUS(death.status) == 0);
  return false;
}

TEST_CASE("a commit that was killed before any step is finished by the next one", "[sandbox]") {
  std::string whole;
  {
    HandMade made;
    fill(made);
    CHECK(made.commit().closed);
    whole = test::picture_of(made.work());
  }
  std::size_t steps = 0;
  for (;; ++steps) {
    HandMade made;
    fill(made);
    if (!commit_killed_before(made, steps)) break;
    made.reopen();
    CHECK(made.transaction().info().interrupted);
    const CommitReport report = made.commit();
    CHECK(report.resumed);
    CHECK(report.unmade.empty());
    CHECK(report.closed);
    CHECK(test::picture_of(made.work()) == whole);
  }
  CHECK(steps == 10 + 1);  // nine changes, and the bits of two new folders
}

TEST_CASE("a host edit during the interruption is kept and reported", "[sandbox]") {
  HandMade made;
  fill(made);
  REQUIRE(commit_killed_before(made, 3));
  made.reopen();
  made.host("gone", "theirs\n");
  made.host("gone-folder/in/y", "theirs\n");
  const CommitReport report = made.commit();
  CHECK(report.unmade.size() == 2);
  CHECK(made.text("gone") == "theirs\n");
  CHECK(made.text("gone-folder/in/x") == "old\n");
  CHECK(made.text("gone-folder/in/y") == "theirs\n");
  CHECK_FALSE(report.closed);
}

// A kill between the system calls of one step leaves its temporary name behind: an unfinished new
// file, or what was swapped out and not yet removed.
TEST_CASE("what a kill left beside its place is removed by the next commit", "[sandbox]") {
  HandMade made;
  made.lower("a", "old\n");
  made.lower("b", "old\n");
  made.lower("tree/x", "old\n");
  made.begin();
  made.upper("a", "new\n");
  made.upper("b", "new\n");
  made.whiteout("tree");
  REQUIRE(commit_killed_before(made, 0));
  made.reopen();
  const std::string temporary = ".fathom-" + made.transaction().id() + '-';
  std::ofstream(made.work(temporary + "0")) << "ne";  // a: not yet swapped in
  // b: swapped in, the old one not yet removed
  fs::rename(made.work("b"), made.work(temporary + "1"));
  std::ofstream(made.work("b")) << "new\n";
  // tree: out of the way, not yet removed
  fs::rename(made.work("tree"), made.work(temporary + "2"));
  const CommitReport report = made.commit();
  CHECK(report.unmade.empty());
  CHECK(report.closed);
  CHECK(test::names_in(made.work()) == std::vector<std::string>{"a", "b"});
  CHECK(made.text("a") == "new\n");
  CHECK(made.text("b") == "new\n");
}

TEST_CASE("a host edit that a killed step had swapped out is put back or kept", "[sandbox]") {
  HandMade made;
  made.lower("b", "old\n");
  made.lower("tree/x", "old\n");
  made.begin();
  made.upper("b", "new\n");
  made.whiteout("tree");
  REQUIRE(commit_killed_before(made, 0));
  made.reopen();
  const std::string temporary = ".fathom-" + made.transaction().id() + '-';
  made.host("b", "theirs\n");
  fs::rename(made.work("b"), made.work(temporary + "0"));
  std::ofstream(made.work("b")) << "new\n";
  made.host("tree/y", "theirs\n");
  fs::rename(made.work("tree"), made.work(temporary + "1"));
  const CommitReport report = made.commit();
  REQUIRE(report.unmade.size() == 2);
  CHECK(report.unmade.front().reason.find(temporary + "0") != std::string::npos);
  CHECK(made.text(temporary + "0") == "theirs\n");
  CHECK(made.text("tree/y") == "theirs\n");
  CHECK(made.text("tree/x") == "old\n");
}

TEST_CASE("an interrupted commit is abandoned only when it is asked for", "[sandbox]") {
  HandMade made;
  fill(made);
  REQUIRE(commit_killed_before(made, 5));
  made.reopen();
  const Result<> refused = made.transaction().discard(Transaction::Interrupted::refuse);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::in_use);
  REQUIRE(made.transaction().discard(Transaction::Interrupted::abandon));
  CHECK(fs::is_empty(made.state() / "transactions"));
}

TEST_CASE("a damaged journal is reported and nothing is written", "[sandbox]") {
  HandMade made;
  fill(made);
  const std::string before = test::picture_of(made.work());
  REQUIRE(commit_killed_before(made, 0));
  made.reopen();
  fs::resize_file(made.transaction().folder() / "plan", 40);
  const auto report = made.transaction().commit(made.options());
  REQUIRE_FALSE(report);
  CHECK(report.error().code == ErrorCode::bad_data);
  CHECK(test::picture_of(made.work()) == before);
}

}  // namespace
}  // namespace fathom::sandbox
