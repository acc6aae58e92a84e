#include "tests/support/catch.hpp"
#include "tests/tools/git/tree_fixture.hpp"
#include "tools/git/snapshots.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace fathom::tools {
namespace {

namespace fs = std::filesystem;
using test::Workspace;

TEST_CASE("a restore does not go through a link that stands in for a folder", "[tools][git]") {
  const Workspace workspace;
  workspace.write("dir/file", "1");
  Snapshots snapshots = workspace.snapshots();
  const auto taken = snapshots.take("step");
  REQUIRE(taken);
  workspace.dir.write("outside/file", "theirs");
  fs::remove_all(workspace.root / "dir");
  fs::create_directory_symlink(workspace.dir / "outside", workspace.root / "dir");
  const auto restored = snapshots.restore(taken->record.id, {}, Conflicts::stop);
  REQUIRE(restored);
  CHECK(restored->report.not_restored.empty());
  CHECK(fathom::test::slurp(workspace.dir / "outside/file") == "theirs");
  CHECK_FALSE(fs::is_symlink(workspace.root / "dir"));
  CHECK(workspace.read("dir/file") == "1");
}

TEST_CASE("links to folders are kept as links and not looked into", "[tools][git]") {
  const Workspace workspace;
  workspace.dir.write("outside/file", "theirs");
  fs::create_directory_symlink(workspace.dir / "outside", workspace.root / "out");
  fs::create_directory_symlink(".", workspace.root / "loop");
  Snapshots snapshots = workspace.snapshots();
  const auto taken = snapshots.take("step");
  REQUIRE(taken);
  CHECK(taken->record.files == 0);
  fs::remove(workspace.root / "out");
  REQUIRE(snapshots.restore(taken->record.id, {}, Conflicts::stop));
  CHECK(fs::read_symlink(workspace.root / "out") == workspace.dir / "outside");
}

TEST_CASE("fifos and sockets are named and neither opened nor removed", "[tools][git]") {
  const Workspace workspace;
  REQUIRE(::mkfifo((workspace.root / "fifo").c_str(), 0600) == 0);
  Snapshots snapshots = workspace.snapshots();
  const auto taken = snapshots.take("step");
  REQUIRE(taken);
  CHECK(taken->record.uncovered ==
        std::vector<Uncovered>{{"fifo", "neither file, link nor folder"}});
  REQUIRE(::mkfifo((workspace.root / "later").c_str(), 0600) == 0);
  REQUIRE(snapshots.restore(taken->record.id, {}, Conflicts::stop));
  CHECK(workspace.has("fifo"));
  CHECK(workspace.has("later"));
}

TEST_CASE("an ignore file that is a link or a fifo says nothing", "[tools][git]") {
  const Workspace workspace;
  workspace.dir.write("outside", "*\n");
  fs::create_symlink(workspace.dir / "outside", workspace.root / ".gitignore");
  fs::create_directories(workspace.root / "sub");
  REQUIRE(::mkfifo((workspace.root / "sub/.gitignore").c_str(), 0600) == 0);
  workspace.write("sub/a", "1");
  Snapshots snapshots = workspace.snapshots();
  const auto taken = snapshots.take("step");
  REQUIRE(taken);
  CHECK(taken->record.files == 1);
}

TEST_CASE("a repository that points elsewhere does not stop a snapshot", "[tools][git]") {
  const Workspace workspace;
  workspace.write(".git", "gitdir: /proc/self/root/etc\n");
  workspace.write("a", "1");
  Snapshots snapshots = workspace.snapshots();
  CHECK(snapshots.take("step")->record.files == 1);
  fs::remove(workspace.root / ".git");
  fs::create_symlink("/etc", workspace.root / ".git");
  CHECK(snapshots.take("step")->record.files == 1);
  fs::remove(workspace.root / ".git");
  workspace.write(".git/index", "DIRC not an index");
  CHECK(snapshots.take("step")->record.files == 1);
}

TEST_CASE("a tree deeper than the bound is covered down to it", "[tools][git]") {
  const Workspace workspace;
  SnapshotBounds bounds;
  bounds.scan.depth_max = 3;
  workspace.write("1/2/3/kept", "x");
  workspace.write("1/2/3/4/lost", "x");
  Snapshots snapshots = workspace.snapshots(bounds);
  const auto taken = snapshots.take("step");
  REQUIRE(taken);
  CHECK(taken->record.files == 1);
  CHECK(taken->record.uncovered == std::vector<Uncovered>{{"1/2/3/4", "too deep"}});
}

TEST_CASE("names of any bytes come back", "[tools][git]") {
  const Workspace workspace;
  for (const auto* name :
       {"\xff\xfe", "new\nline", "back\\slash", "git~1", "a:b", ".gitx", "tab\t"})
    workspace.write(name, "1");
  Snapshots snapshots = workspace.snapshots();
  const auto before = test::tree_of(workspace.root);
  const auto taken = snapshots.take("step");
  REQUIRE(taken);
  for (const auto& [name, text] : before) fs::remove(workspace.root / name);
  REQUIRE(snapshots.restore(taken->record.id, {}, Conflicts::stop));
  CHECK(test::tree_of(workspace.root) == before);
}

}  // namespace
}  // namespace fathom::tools
