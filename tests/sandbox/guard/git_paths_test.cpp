#include "sandbox/git_paths.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::sandbox;

TEST_CASE("what git writes by itself is let through", "[paths]") {
  for (std::string_view path : {"HEAD",
                                "HEAD.lock",
                                "index",
                                "index.lock",
                                "index.stash.123",
                                "packed-refs",
                                "packed-refs.lock",
                                "packed-refs.new",
                                "ORIG_HEAD",
                                "FETCH_HEAD",
                                "MERGE_HEAD",
                                "CHERRY_PICK_HEAD",
                                "COMMIT_EDITMSG",
                                "MERGE_MSG",
                                "BISECT_LOG",
                                "AUTO_MERGE",
                                "shallow",
                                "shallow.lock",
                                "gc.pid",
                                "sharedindex.0a1b",
                                "refs/heads/main",
                                "refs/heads/a/b.lock",
                                "refs/heads/hooks/config",
                                "logs/HEAD",
                                "logs/refs/heads/x",
                                "objects/ab/cdef",
                                "objects/pack/pack-1.idx",
                                "objects/info/packs",
                                "objects/info/commit-graphs/x",
                                "objects/tmp_objdir-incoming-x/ab/c",
                                "info/refs",
                                "info/sparse-checkout",
                                "rebase-merge/git-rebase-todo",
                                "rebase-apply/0001",
                                "sequencer/todo",
                                "rr-cache/x/postimage",
                                "lfs/objects/aa/bb/x",
                                "lost-found/commit/x",
                                "worktrees/w/HEAD",
                                "worktrees/w/index",
                                "worktrees/w/logs/HEAD",
                                "worktrees/w/gitdir",
                                "worktrees/w/locked",
                                "worktrees/w/modules/m/HEAD",
                                "modules/m/HEAD",
                                "modules/a/b/objects/pack/p",
                                "modules/m/modules/n/index",
                                "modules/m/worktrees/w/HEAD",
                                "reftable/tables.list"})
    CHECK(is_written_by_git(path));
}

TEST_CASE("everything else in a git directory is protected", "[paths]") {
  for (std::string_view path : {"config",
                                "config.lock",
                                "config.worktree",
                                "hooks/pre-commit",
                                "hooks",
                                "hooks/a/b",
                                "hooks/x.sample/y",
                                "info/attributes",
                                "info/exclude",
                                "info/grafts",
                                "info/x/y",
                                "description",
                                "commondir",
                                "gitdir",
                                "branches/x",
                                "remotes/x",
                                "common/x",
                                "evil",
                                "Head",
                                "CONFIG",
                                "head_HEAD",
                                "worktrees/x",
                                "worktrees/w/config",
                                "worktrees/w/config.worktree",
                                "worktrees/w/commondir",
                                "worktrees/w/hooks/x",
                                "worktrees/w/info/attributes",
                                "modules/x",
                                "modules/m/config",
                                "modules/m/hooks/pre-commit",
                                "modules/a/b/hooks/pre-commit",
                                "modules/m/info/attributes",
                                "modules/m/modules/n/config",
                                "modules/hooks/pre-commit",
                                "objects/info/alternates",
                                "",
                                "refs/../config",
                                "./config",
                                "refs//x",
                                "svn/x",
                                "a/HEAD",
                                "hooks/HEAD",
                                "refs/heads/.git/x",
                                "objects/aa/.GIT"})
    CHECK_FALSE(is_written_by_git(path));
}

TEST_CASE("git writes through links, so a link in a git directory is protected", "[paths]") {
  for (const auto& [zone, name] : {std::pair<Zone, std::string_view>{Zone::repository, "HEAD"},
                                   {Zone::repository, "objects"},
                                   {Zone::repository, "hooks"},
                                   {Zone::data, "HEAD"},
                                   {Zone::objects, "ab"},
                                   {Zone::bare, "COMMIT_EDITMSG"},
                                   {Zone::worktrees, "w"}}) {
    CHECK(git_entry(zone, name, FileType::symlink).access == GitAccess::guarded);
    CHECK(git_entry(zone, name, FileType::other).access == GitAccess::guarded);
  }
  CHECK(git_entry(Zone::bare, "mine", FileType::symlink).access == GitAccess::foreign);
  CHECK(git_entry(Zone::repository, "fsmonitor--daemon.ipc", FileType::other).access ==
        GitAccess::written);
}

TEST_CASE("a folder that is a git directory by its names keeps the user's files", "[paths]") {
  CHECK(git_entry(Zone::bare, "src", FileType::directory) ==
        GitEntry{GitAccess::foreign, Zone::plain});
  CHECK(git_entry(Zone::bare, "README", FileType::regular).access == GitAccess::foreign);
  CHECK(git_entry(Zone::bare, "config", FileType::regular).access == GitAccess::config);
  CHECK(git_entry(Zone::bare, "Config", FileType::regular).access == GitAccess::guarded);
  CHECK(git_entry(Zone::bare, "HOOKS", FileType::directory) ==
        GitEntry{GitAccess::guarded, Zone::guarded});
}

TEST_CASE("HEAD with objects and refs, or with commondir, makes a git directory", "[paths]") {
  const auto marks = [](std::initializer_list<std::string_view> names) {
    GitMarks noted;
    for (std::string_view name : names) noted.note(name);
    return noted.complete();
  };
  CHECK(marks({"HEAD", "objects", "refs"}));
  CHECK(marks({"head", "Objects", "REFS", "x"}));
  CHECK(marks({"HEAD", "commondir"}));
  CHECK_FALSE(marks({"HEAD", "objects"}));
  CHECK_FALSE(marks({"objects", "refs", "commondir"}));
  CHECK_FALSE(marks({}));
}
