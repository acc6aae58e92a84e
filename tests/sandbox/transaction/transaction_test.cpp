#include "sandbox/transaction.hpp"

#include "tests/sandbox/transaction/hand_made.hpp"
#include "tests/support/catch.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace fathom::sandbox {
namespace {

namespace fs = std::filesystem;
using test::HandMade;

struct stat status_of(const fs::path& path) {
  struct stat status{};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

TEST_CASE("a transaction can be found again, and is held by one at a time", "[sandbox]") {
  HandMade made;
  made.begin();
  const std::string id = made.transaction().id();
  const auto listed = Transaction::list(made.state());
  REQUIRE(listed);
  REQUIRE(listed->size() == 1);
  CHECK(listed->front().id == id);
  CHECK(listed->front().workspace + '/' == made.work().string());
  const auto second = Transaction::open(made.state(), id, Transaction::Use::exclusive);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::in_use);
  CHECK(Transaction::open(made.state(), id, Transaction::Use::look));
  for (const char* wrong : {"", "..", "../../x", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}) {
    const auto none = Transaction::open(made.state(), wrong, Transaction::Use::look);
    REQUIRE_FALSE(none);
    CHECK(none.error().code == ErrorCode::not_found);
  }
}

TEST_CASE("a state folder in the workspace is refused", "[sandbox]") {
  const test::TempDir dir;
  const auto begun = Transaction::begin(dir / "state", {dir.path().string(), 0, 0});
  REQUIRE_FALSE(begun);
  CHECK(begun.error().code == ErrorCode::usage);
  CHECK(fs::is_empty(dir.path()));
}

TEST_CASE("commit brings every kind of change and closes the transaction", "[sandbox]") {
  HandMade made;
  for (const char* path : {"changed", "gone", "mode", "becomes-folder", "becomes-file/in/x"})
    made.lower(path, "old\n");
  made.lower("gone-folder/in/x", "old\n");
  made.lower("opaque/old", "old\n");
  made.begin();
  made.upper("changed", "new text\n");
  made.upper("added/deep/file", "x");
  made.upper("added/script", "#!");
  made.upper_mode("added/script", 0751);
  made.upper_mode("added/deep", 0500);
  made.upper_link("added/link", "../changed");
  made.whiteout("gone");
  made.whiteout("gone-folder");
  made.upper("becomes-file", "x");
  made.upper("becomes-folder/x", "x");
  made.upper("mode", "old\n");
  made.upper_mode("mode", 0711);
  made.upper("opaque/new", "new");
  made.opaque("opaque");
  const CommitReport report = made.commit();
  CHECK(report.closed);
  CHECK(report.unmade.empty());
  CHECK_FALSE(fs::exists(made.transaction().folder()));
  CHECK(made.text("changed") == "new text\n");
  CHECK(made.text("added/link") == "new text\n");
  CHECK((status_of(made.work("added/script")).st_mode & 07777) == 0751);
  CHECK((status_of(made.work("added/deep")).st_mode & 07777) == 0500);
  CHECK((status_of(made.work("mode")).st_mode & 07777) == 0711);
  CHECK(made.text("becomes-file") == "x");
  CHECK(made.text("becomes-folder/x") == "x");
  CHECK_FALSE(fs::exists(made.work("gone")));
  CHECK_FALSE(fs::exists(made.work("gone-folder")));
  CHECK_FALSE(fs::exists(made.work("opaque/old")));
  CHECK(test::picture_of(made.work()).find(".fathom-") == std::string::npos);
  fs::permissions(made.work("added/deep"), fs::perms::owner_all);
}

TEST_CASE("setuid bits and overlay's attributes stay behind, the user's attributes come along",
          "[sandbox]") {
  HandMade made;
  made.begin();
  made.upper("tool", "x");
  made.upper_mode("tool", 06755);
  made.attribute("tool", "user.comment", "mine");
  made.attribute("tool", "user.overlay.origin", "");
  CHECK(made.commit().closed);
  CHECK((status_of(made.work("tool")).st_mode & 07777) == 0755);
  std::array<char, 16> value{};
  const std::string path = made.work("tool").string();
  CHECK(::getxattr(path.c_str(), "user.comment", value.data(), value.size()) == 4);
  CHECK(::getxattr(path.c_str(), "user.overlay.origin", value.data(), value.size()) < 0);
}

TEST_CASE("two names of one file stay two names of one file", "[sandbox]") {
  HandMade made;
  made.begin();
  made.upper("first", "text");
  fs::create_hard_link(made.layer("first"), made.layer("second"));
  CHECK(made.commit().closed);
  CHECK(status_of(made.work("first")).st_ino == status_of(made.work("second")).st_ino);
}

TEST_CASE("names that share a file on the host are changed one by one", "[sandbox]") {
  HandMade made;
  made.lower("a", "old\n");
  made.lower("tree/other", "old\n");
  for (const char* name : {"b", "gone", "kept", "tree/x"})
    fs::create_hard_link(made.work("a"), made.work(name));
  made.begin();
  made.upper("a", "new\n");
  made.upper("b", "old\n");
  fs::last_write_time(made.layer("b"), fs::last_write_time(made.work("b")));
  made.upper_mode("b", 0700);
  made.whiteout("gone");
  made.whiteout("tree");
  const unsigned mode = status_of(made.work("kept")).st_mode;
  const CommitReport report = made.commit();
  CHECK(report.closed);
  CHECK(made.text("a") == "new\n");
  CHECK(made.text("kept") == "old\n");
  CHECK_FALSE(fs::exists(made.work("tree")));
  CHECK(status_of(made.work("kept")).st_mode == mode);
  CHECK((status_of(made.work("b")).st_mode & 07777) == 0700);
}

TEST_CASE("a sparse file stays sparse", "[sandbox]") {
  HandMade made;
  made.begin();
  made.upper("sparse", "head");
  fs::resize_file(made.layer("sparse"), 1ULL << 28);
  CHECK(made.commit().closed);
  CHECK(status_of(made.work("sparse")).st_size == 1LL << 28);
  CHECK(status_of(made.work("sparse")).st_blocks < 1000);
}

TEST_CASE("a conflict stops the commit before anything is written", "[sandbox]") {
  HandMade made;
  made.lower("edited", "old\n");
  made.lower("deleted/in", "old\n");
  made.begin();
  made.upper("edited", "mine\n");
  made.upper("fine", "mine\n");
  made.whiteout("deleted");
  made.host("edited", "theirs\n");
  made.host("deleted/new", "theirs\n");
  const std::string before = test::picture_of(made.work());
  const CommitReport report = made.commit();
  CHECK(report.stopped);
  CHECK(report.applied == 0);
  CHECK(report.conflicts.size() == 2);
  CHECK(test::picture_of(made.work()) == before);
}

TEST_CASE("conflicts can be left out, and stay in the transaction", "[sandbox]") {
  HandMade made;
  made.lower("edited", "old\n");
  made.begin();
  made.upper("edited", "mine\n");
  made.upper("fine", "mine\n");
  made.host("edited", "theirs\n");
  made.options().conflicts = CommitOptions::Conflicts::skip;
  const CommitReport report = made.commit();
  CHECK(made.text("edited") == "theirs\n");
  CHECK(made.text("fine") == "mine\n");
  CHECK_FALSE(report.closed);
  REQUIRE(report.conflicts.size() == 1);
  CHECK(report.conflicts.front().path == "edited");
  CHECK(made.lines() == std::vector<std::string>{"modified file edited (conflict)"});
}

TEST_CASE("named paths are committed, the rest waits", "[sandbox]") {
  HandMade made;
  made.lower("gone", "old\n");
  made.begin();
  made.upper("a/b/wanted", "x");
  made.upper("a/other", "x");
  made.whiteout("gone");
  made.options().paths = {"a/b"};
  const CommitReport report = made.commit();
  CHECK(report.left_out == 2);
  CHECK(made.lines() == std::vector<std::string>{"added file a/other", "deleted file gone"});
  made.options().paths = {};
  CHECK(made.commit().closed);
  CHECK(made.text("a/other") == "x");
}

TEST_CASE("what is withheld stays in the transaction and not in the workspace", "[sandbox]") {
  HandMade made;
  made.begin();
  made.upper(".vscode/tasks.json", "{}");
  made.upper("Makefile", "all:\n");
  const CommitReport report = made.commit();
  CHECK_FALSE(report.closed);
  REQUIRE(report.withheld.size() == 1);
  CHECK(report.withheld.front().rule == "filesystem.protected[0]");
  REQUIRE(report.runs_later.size() == 1);
  CHECK(report.runs_later.front().path == "Makefile");
  CHECK_FALSE(fs::exists(made.work(".vscode")));
  CHECK(made.text("Makefile") == "all:\n");
}

TEST_CASE("a link that the host put in a folder's place is not followed", "[sandbox]") {
  HandMade made;
  const test::TempDir elsewhere;
  elsewhere.write("file", "theirs\n");
  made.lower("folder/file", "old\n");
  made.lower("gone/file", "old\n");
  made.begin();
  made.upper("folder/file", "mine\n");
  made.upper("folder/new", "mine\n");
  made.copied_up("folder");
  made.whiteout("gone");
  // Between the two passes, which is the worst moment.
  made.options().before_step = [&](std::size_t step) {
    if (step != 0) return;
    for (const char* name : {"folder", "gone"}) {
      fs::remove_all(made.work(name));
      fs::create_directory_symlink(elsewhere.path(), made.work(name));
    }
  };
  const CommitReport report = made.commit();
  CHECK(report.unmade.size() == 3);
  CHECK(test::slurp(elsewhere / "file") == "theirs\n");
  CHECK_FALSE(fs::exists(elsewhere / "new"));
  CHECK(fs::is_symlink(made.work("gone")));
  CHECK_FALSE(report.closed);
}

TEST_CASE("a host edit between the two passes is kept", "[sandbox]") {
  HandMade made;
  for (const char* path : {"edited", "deleted", "tree/a"}) made.lower(path, "old\n");
  made.begin();
  made.upper("edited", "mine\n");
  made.upper("appeared", "mine\n");
  made.whiteout("deleted");
  made.whiteout("tree");
  made.options().before_step = [&](std::size_t step) {
    if (step != 0) return;
    for (const char* path : {"edited", "appeared", "deleted", "tree/b"})
      made.host(path, "theirs\n");
  };
  const CommitReport report = made.commit();
  CHECK(report.unmade.size() == 4);
  for (const char* path : {"edited", "appeared", "deleted", "tree/b"})
    CHECK(made.text(path) == "theirs\n");
  CHECK(made.text("tree/a") == "old\n");
}

TEST_CASE("another folder under the workspace's name is not committed to", "[sandbox]") {
  HandMade made;
  made.begin();
  made.upper("file", "x");
  fs::rename(made.work("").parent_path(), made.state() / "moved");
  fs::create_directory(made.work("").parent_path());
  const auto report = made.transaction().commit(made.options());
  REQUIRE_FALSE(report);
  CHECK(report.error().code == ErrorCode::in_use);
  CHECK(fs::is_empty(made.work()));
}

TEST_CASE("discard leaves the workspace as it was, to the byte", "[sandbox]") {
  HandMade made;
  made.lower("a", "old\n");
  made.begin();
  const std::string before = test::picture_of(made.work());
  made.upper("a", "mine\n");
  made.upper("closed/x", "mine\n");
  made.upper_mode("closed", 0);
  made.whiteout("b");
  REQUIRE(made.transaction().discard(Transaction::Interrupted::refuse));
  CHECK(test::picture_of(made.work()) == before);
  CHECK(fs::is_empty(made.state() / "transactions"));
}

TEST_CASE("half a removed layer is not committed, and its removal is finished", "[sandbox]") {
  HandMade made;
  made.begin();
  made.upper("a", "x");
  fs::rename(made.layer().parent_path(), made.transaction().folder() / "removed");
  const auto report = made.transaction().commit(made.options());
  REQUIRE_FALSE(report);
  CHECK(report.error().message.find("discard") != std::string::npos);
  REQUIRE(made.transaction().discard(Transaction::Interrupted::refuse));
  CHECK(fs::is_empty(made.state() / "transactions"));
}

TEST_CASE("what a command made unreadable for itself is committed with its bits", "[sandbox]") {
  HandMade made;
  made.begin();
  made.upper("closed/in/file", "x");
  made.upper_mode("closed/in/file", 0);
  made.upper_mode("closed/in", 0311);
  made.upper_mode("closed", 0);
  CHECK(made.lines() == std::vector<std::string>{"added folder closed", "added folder closed/in",
                                                 "added file closed/in/file"});
  CHECK((status_of(made.layer("closed")).st_mode & 07777) == 0);  // looking changes nothing
  CHECK(made.commit().closed);
  CHECK((status_of(made.work("closed")).st_mode & 07777) == 0);
  fs::permissions(made.work("closed"), fs::perms::owner_all);
  CHECK((status_of(made.work("closed/in")).st_mode & 07777) == 0311);
  fs::permissions(made.work("closed/in"), fs::perms::owner_all);
  CHECK((status_of(made.work("closed/in/file")).st_mode & 07777) == 0);
}

}  // namespace
}  // namespace fathom::sandbox
