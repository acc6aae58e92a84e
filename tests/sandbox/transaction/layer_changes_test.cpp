#include "sandbox/layer_changes.hpp"

#include "tests/sandbox/guard/machine.hpp"
#include "tests/sandbox/transaction/hand_made.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace fathom::sandbox {
namespace {

namespace fs = std::filesystem;
using test::HandMade;
using Lines = std::vector<std::string>;

TEST_CASE("a layer's files, folders, links and whiteouts are told apart", "[sandbox]") {
  HandMade made;
  for (const char* path : {"changed", "gone", "mode", "becomes-folder", "kept", "was-link-target"})
    made.lower(path, "old\n");
  made.lower("folder/inside", "old\n");
  made.lower("becomes-file/inside", "old\n");
  made.lower("gone-folder/inside", "old\n");
  fs::create_symlink("kept", made.work("link"));
  made.begin();
  made.upper("changed", "new text\n");
  made.upper("added/deep/file", "x");
  made.upper("folder/second", "x");
  made.whiteout("gone");
  made.whiteout("gone-folder");
  made.whiteout("never-was");
  made.upper("becomes-file", "x");
  made.upper("becomes-folder/x", "x");
  made.upper("mode", "old\n");
  made.upper_mode("mode", 0755);
  made.upper_link("link", "elsewhere");
  CHECK(made.lines() == Lines{"added folder added", "added folder added/deep",
                              "added file added/deep/file", "type_changed file becomes-file",
                              "type_changed folder becomes-folder", "added file becomes-folder/x",
                              "modified file changed", "added file folder/second",
                              "deleted file gone", "deleted folder gone-folder",
                              "modified link link", "modified file mode"});
}

TEST_CASE("a copy that only got other bits is a change of bits", "[sandbox]") {
  HandMade made;
  made.lower("script", "text\n");
  made.lower("same", "text\n");
  made.lower("forged", "text\n");
  made.lower("folder/x", "x");
  made.begin();
  for (const char* path : {"script", "same", "forged"}) {
    made.upper(path, std::string_view(path) == "forged" ? "TEXT\n" : "text\n");
    fs::last_write_time(made.layer(path), fs::last_write_time(made.work(path)));
  }
  made.upper_mode("script", 0755);
  made.upper_folder("folder");
  made.upper_mode("folder", 0700);
  CHECK(made.lines() ==
        Lines{"mode_changed folder folder", "modified file forged", "mode_changed file script"});
}

TEST_CASE("what an opaque folder hides is listed as deleted, at every depth", "[sandbox]") {
  HandMade made;
  made.lower("folder/old", "old\n");
  made.lower("folder/both", "old\n");
  made.lower("folder/sub/old", "old\n");
  made.lower("folder/gone/old", "old\n");
  made.begin();
  made.upper("folder/both", "newer\n");
  made.upper("folder/sub/new", "new\n");
  made.opaque("folder");
  CHECK(made.lines() == Lines{"modified file folder/both", "deleted folder folder/gone",
                              "deleted file folder/old", "added file folder/sub/new",
                              "deleted file folder/sub/old"});
}

TEST_CASE("an empty file with the whiteout attribute is a removed name", "[sandbox]") {
  HandMade made;
  made.lower("gone", "old\n");
  made.lower("emptied", "old\n");
  made.begin();
  made.upper("gone", "");
  made.attribute("gone", "user.overlay.whiteout", "");
  made.upper("emptied", "");
  CHECK(made.lines() == Lines{"modified file emptied", "deleted file gone"});
}

TEST_CASE("fifos and sockets stay in the layer and nothing waits for them", "[sandbox]") {
  HandMade made;
  made.begin();
  REQUIRE(::mkfifo(made.layer("fifo").c_str(), 0600) == 0);
  REQUIRE(::mknod(made.layer("socket").c_str(), S_IFSOCK | 0600, 0) == 0);
  CHECK(made.lines() == Lines{"added other fifo (withheld)", "added other socket (withheld)"});
  CHECK_FALSE(made.commit().closed);
  CHECK(fs::is_empty(made.work()));
}

TEST_CASE("a tree deeper than a path can say is withheld from there on", "[sandbox]") {
  HandMade made(test::fast_folder());
  made.begin();
  UniqueFd at(::open(made.layer().c_str(), O_RDONLY | O_DIRECTORY));
  const std::string name(100, 'd');
  for (int depth = 0; depth < 60; ++depth) {
    REQUIRE(::mkdirat(at.get(), name.c_str(), 0700) == 0);
    at.reset(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY));
  }
  const std::vector<Change> changes = made.changes();
  REQUIRE(changes.size() == kChangePathBytesMax / 101 + 1);
  CHECK(changes.back().fate == Fate::withheld);
  CHECK(changes.back().reason == "deeper than a path can say");
  REQUIRE(made.transaction().discard(Transaction::Interrupted::refuse));
  CHECK_FALSE(fs::exists(made.transaction().folder()));
}

TEST_CASE("protected names are withheld, build files are listed", "[sandbox]") {
  HandMade made;
  made.lower(".vscode/tasks.json", "{}");
  made.lower("Makefile", "all:\n");
  made.begin();
  made.upper(".vscode/tasks.json", "{\"evil\": 1}");
  made.upper("a/.vscode/tasks.json", "{}");
  made.upper("Makefile", "all: evil\n");
  CHECK(made.lines() == Lines{"modified folder .vscode (withheld, filesystem.protected[0])",
                              "modified file Makefile (runs_later, filesystem.protected[1])",
                              "added folder a",
                              "added folder a/.vscode (withheld, filesystem.protected[0])"});
}

TEST_CASE("of a git directory only what git writes passes", "[sandbox]") {
  HandMade made;
  made.lower(".git/HEAD", "ref: refs/heads/main\n");
  made.lower(".git/config", "[core]\n\tbare = false\n");
  made.lower(".git/hooks/pre-commit", "#!/bin/sh\n");
  made.begin();
  made.upper(".git/HEAD", "ref: refs/heads/other\n");
  made.upper(".git/objects/ab/cdef", "x");
  made.upper(".git/hooks/post-checkout", "#!/bin/sh\nevil\n");
  made.whiteout(".git/hooks/pre-commit");
  made.upper(".git/config", "[core]\n\tbare = false\n\tfsmonitor = evil\n");
  made.upper_link(".git/COMMIT_EDITMSG", "../../home/.profile");
  made.upper("sub/.git", "gitdir: /elsewhere/.git\n");
  made.upper("other/.git", "gitdir: ../.git/modules/other\n");
  made.upper(".git/modules/other/HEAD", "ref: refs/heads/main\n");
  CHECK(made.lines() == Lines{"added link .git/COMMIT_EDITMSG (withheld, git.link)",
                              "modified file .git/HEAD",
                              "modified file .git/config (withheld, git.config)",
                              "added file .git/hooks/post-checkout (withheld, git.hooks)",
                              "deleted file .git/hooks/pre-commit (withheld, git.hooks)",
                              "added folder .git/modules", "added folder .git/modules/other",
                              "added file .git/modules/other/HEAD", "added folder .git/objects",
                              "added folder .git/objects/ab", "added file .git/objects/ab/cdef",
                              "added folder other", "added file other/.git", "added folder sub",
                              "added file sub/.git (withheld, git.dir)"});
}

TEST_CASE("a new repository keeps the keys of its config that run nothing", "[sandbox]") {
  HandMade made;
  made.begin();
  made.upper("new/.git/config", "[core]\n\tbare = false\n\tfsmonitor = evil\n");
  made.upper("new/.git/description", "text\n");
  made.upper("new/.git/info/exclude", "x\n");
  const CommitReport report = made.commit();
  CHECK(made.text("new/.git/config").find("fsmonitor") == std::string::npos);
  CHECK(made.text("new/.git/config").find("bare") != std::string::npos);
  CHECK(fs::exists(made.work("new/.git/info/exclude")));
  CHECK_FALSE(report.closed);  // what was left out is still to be seen
}

TEST_CASE("a folder of the user's does not become a git directory", "[sandbox]") {
  HandMade made;
  made.lower("docs/objects/x", "x");
  made.lower("docs/refs/x", "x");
  made.begin();
  made.upper("docs/HEAD", "ref: refs/heads/main\n");
  made.upper("docs/config", "[core]\n\tfsmonitor = evil\n");
  made.upper("bare/HEAD", "ref: refs/heads/main\n");
  made.upper("bare/objects/x", "x");
  made.upper("bare/refs/x", "x");
  made.upper("bare/hooks/post-update", "evil");
  made.upper("bare/README", "mine");
  CHECK(made.lines() ==
        Lines{"added folder bare", "added file bare/HEAD", "added file bare/README",
              "added folder bare/hooks", "added file bare/hooks/post-update (withheld, git.hooks)",
              "added folder bare/objects", "added file bare/objects/x", "added folder bare/refs",
              "added file bare/refs/x", "added file docs/HEAD (withheld, git.bare)",
              "added file docs/config"});
}

TEST_CASE("what the host changed since the beginning is a conflict", "[sandbox]") {
  HandMade made;
  for (const char* path : {"edited", "removed", "other", "deleted", "same", "tree/a", "tree/b"})
    made.lower(path, "old\n");
  made.begin();
  made.upper("edited", "mine\n");
  made.upper("removed", "mine\n");
  made.copied_up("removed");
  made.upper("appeared", "mine\n");
  made.upper("same", "the same\n");
  made.whiteout("deleted");
  made.whiteout("tree");
  made.host("edited", "theirs\n");
  made.host_remove("removed");
  made.host("appeared", "theirs\n");
  made.host("other", "theirs\n");
  made.host("deleted", "theirs\n");
  made.host("tree/b", "theirs\n");
  made.host("same", "the same\n");
  CHECK(made.lines() == Lines{"modified file appeared (conflict)",
                              "deleted file deleted (conflict)", "modified file edited (conflict)",
                              "added file removed (conflict)", "deleted folder tree (conflict)"});
}

TEST_CASE("a renamed file is no conflict although the host changed its folder", "[sandbox]") {
  HandMade made;
  made.lower("folder/before", "text\n");
  made.begin();
  made.upper("folder/after", "text\n");
  made.copied_up("folder/after");
  fs::last_write_time(made.layer("folder/after"), fs::last_write_time(made.work("folder/before")));
  made.whiteout("folder/before");
  made.host("folder/unrelated", "x");
  made.host_remove("folder/unrelated");
  CHECK(made.lines() == Lines{"added file folder/after", "deleted file folder/before"});
}

TEST_CASE("a folder that the host removed is a conflict as a whole", "[sandbox]") {
  HandMade made;
  made.lower("folder/sub/file", "old\n");
  made.begin();
  made.upper("folder/sub/file", "mine\n");
  made.copied_up("folder");
  made.copied_up("folder/sub");
  made.host_remove("folder");
  CHECK(made.lines() == Lines{"added folder folder (conflict)"});
}

}  // namespace
}  // namespace fathom::sandbox
