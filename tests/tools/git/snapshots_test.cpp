#include "tools/git/snapshots.hpp"

#include "tests/support/catch.hpp"
#include "tests/tools/git/tree_fixture.hpp"

#include <fstream>
#include <thread>

namespace fathom::tools {
namespace {

namespace fs = std::filesystem;
using test::Workspace;

SnapshotId take(Snapshots& snapshots, std::string_view label = "step") {
  auto taken = snapshots.take(label);
  REQUIRE(taken);
  return taken->record.id;
}

RestoreReport restore(Snapshots& snapshots, const SnapshotId& id,
                      const std::optional<SnapshotId>& left = {}) {
  auto restored = snapshots.restore(id, left, Conflicts::stop);
  if (!restored) FAIL(restored.error().message);
  return restored->report;
}

TEST_CASE("a restore brings back files, links, folders and permissions", "[tools][git]") {
  const Workspace workspace;
  workspace.write("a.txt", "one");
  workspace.write("deep/er/b", std::string("\0\xff", 2));
  workspace.write("run.sh", "#!");
  fs::permissions(workspace.root / "run.sh", fs::perms(0750));
  fs::create_directories(workspace.root / "empty");
  fs::create_symlink("nowhere/../x", workspace.root / "link");
  Snapshots snapshots = workspace.snapshots();
  const auto before = test::tree_of(workspace.root);
  const SnapshotId id = take(snapshots);

  workspace.write("a.txt", "two");
  fs::remove_all(workspace.root / "deep");
  workspace.write("deep", "now a file");
  fs::permissions(workspace.root / "run.sh", fs::perms(0644));
  fs::remove(workspace.root / "empty");
  fs::remove(workspace.root / "link");
  workspace.write("link/in/it", "now a folder");
  workspace.write("new/er/file", "x");
  const RestoreReport report = restore(snapshots, id);
  CHECK(test::reasons(report).empty());
  CHECK(test::tree_of(workspace.root) == before);
}

TEST_CASE("a restore can be undone", "[tools][git]") {
  const Workspace workspace;
  workspace.write("a", "1");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId id = take(snapshots);
  workspace.write("a", "2");
  const auto restored = snapshots.restore(id, {}, Conflicts::stop);
  REQUIRE(restored);
  CHECK(workspace.read("a") == "1");
  restore(snapshots, restored->before);
  CHECK(workspace.read("a") == "2");
}

TEST_CASE("a snapshot of an unchanged tree reads no file", "[tools][git]") {
  const Workspace workspace;
  for (int i = 0; i < 20; ++i) workspace.write("f" + std::to_string(i), "x");
  std::int64_t now = 0;
  SnapshotOptions options{workspace.state / "snapshots", workspace.root, {}, {}};
  // A clock that is an hour ahead: what was just written counts as settled.
  options.now_ns = [&] { return now; };
  const auto ahead = std::chrono::file_clock::to_sys(fs::last_write_time(workspace.root / "f0"));
  now = std::chrono::nanoseconds(ahead.time_since_epoch()).count() + 3'600'000'000'000;
  Snapshots first = *Snapshots::open(options);
  CHECK(first.take("cold")->files_read == 20);
  CHECK(first.take("warm")->files_read == 0);
  Snapshots second = *Snapshots::open(options);
  CHECK(second.take("warm, in another process")->files_read == 0);
  workspace.write("f3", "y");
  CHECK(second.take("one changed")->files_read == 1);
}

TEST_CASE("a file of the same size and time as the look is read again", "[tools][git]") {
  const Workspace workspace;
  workspace.write("a", "1");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId id = take(snapshots);
  const auto time = fs::last_write_time(workspace.root / "a");
  workspace.write("a", "2");
  fs::last_write_time(workspace.root / "a", time);
  take(snapshots);
  restore(snapshots, id);
  CHECK(workspace.read("a") == "1");
}

TEST_CASE("ignored files are left alone, whatever became of the ignore files", "[tools][git]") {
  const Workspace workspace;
  workspace.write(".gitignore", "*.o\n/out/\n");
  workspace.write("a.o", "object");
  workspace.write("out/x", "output");
  workspace.write("src/.gitignore", "secret\n");
  workspace.write("src/secret", "s");
  workspace.write("src/a.c", "1");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId id = take(snapshots);
  workspace.write("a.o", "object 2");
  fs::remove(workspace.root / ".gitignore");
  workspace.write("src/.gitignore", "a.c\n");
  workspace.write("src/a.c", "2");
  workspace.write("src/new", "n");
  restore(snapshots, id);
  CHECK(workspace.read("a.o") == "object 2");
  CHECK(workspace.read("out/x") == "output");
  CHECK(workspace.read("src/secret") == "s");
  CHECK(workspace.read("src/a.c") == "1");
  CHECK_FALSE(workspace.has("src/new"));
  CHECK(workspace.read("src/.gitignore") == "secret\n");
}

TEST_CASE("a new folder with ignored files in it stays with them", "[tools][git]") {
  const Workspace workspace;
  workspace.write(".gitignore", "*.o\n");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId id = take(snapshots);
  workspace.write("new/a.c", "1");
  workspace.write("new/a.o", "2");
  const RestoreReport report = restore(snapshots, id);
  CHECK(report.not_restored.empty());
  CHECK_FALSE(workspace.has("new/a.c"));
  CHECK(workspace.has("new/a.o"));
}

TEST_CASE("what the user changed since the run is kept", "[tools][git]") {
  const Workspace workspace;
  workspace.write("run", "1");
  workspace.write("user", "1");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId id = take(snapshots);
  workspace.write("run", "2");
  workspace.write("made", "2");
  const SnapshotId left = take(snapshots, "end");
  workspace.write("user", "mine");
  workspace.write("added", "mine");
  restore(snapshots, id, left);
  CHECK(workspace.read("run") == "1");
  CHECK(workspace.read("user") == "mine");
  CHECK(workspace.read("added") == "mine");
  CHECK_FALSE(workspace.has("made"));
}

TEST_CASE("with a conflict nothing is restored until it is forced", "[tools][git]") {
  const Workspace workspace;
  workspace.write("a", "1");
  workspace.write("b", "1");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId id = take(snapshots);
  workspace.write("a", "2");
  workspace.write("b", "2");
  const SnapshotId left = take(snapshots, "end");
  workspace.write("b", "mine");
  const auto stopped = snapshots.restore(id, left, Conflicts::stop);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error() ==
        Error{ErrorCode::in_use,
              "restore: changed since the run, so nothing was restored: b (force it to lose these "
              "changes)"});
  CHECK(workspace.read("a") == "2");
  CHECK(workspace.read("b") == "mine");
  CHECK(snapshots.plan(id, left)->conflicts() == 1);
  REQUIRE(snapshots.restore(id, left, Conflicts::overwrite));
  CHECK(workspace.read("a") == "1");
  CHECK(workspace.read("b") == "1");
}

TEST_CASE("a file beyond the bound is named and left alone", "[tools][git]") {
  const Workspace workspace;
  workspace.write("big", std::string(2000, 'x'));
  workspace.write("grows", "1");
  SnapshotBounds bounds;
  bounds.scan.file_bytes_max = 1000;
  Snapshots snapshots = workspace.snapshots(bounds);
  const auto taken = snapshots.take("step");
  REQUIRE(taken);
  CHECK(taken->record.uncovered == std::vector<Uncovered>{{"big", "larger than 1000 B"}});
  workspace.write("big", "small now");
  workspace.write("grows", std::string(3000, 'y'));
  restore(snapshots, taken->record.id);
  CHECK(workspace.read("big") == "small now");
  CHECK(workspace.read("grows") == "1");
}

TEST_CASE("beyond the bound of names nothing is deleted", "[tools][git]") {
  const Workspace workspace;
  for (int i = 0; i < 9; ++i) workspace.write("f" + std::to_string(i), "x");
  SnapshotBounds bounds;
  bounds.scan.entries_max = 5;
  Snapshots snapshots = workspace.snapshots(bounds);
  const auto taken = snapshots.take("step");
  REQUIRE(taken);
  CHECK(taken->record.uncovered == std::vector<Uncovered>{{"", "too many files"}});
  workspace.write("made", "x");
  Snapshots roomier = workspace.snapshots();
  restore(roomier, taken->record.id);
  for (int i = 0; i < 9; ++i) CHECK(workspace.has("f" + std::to_string(i)));
  CHECK(workspace.has("made"));
}

TEST_CASE("old snapshots go with what only they needed, the newest stays", "[tools][git]") {
  const Workspace workspace;
  SnapshotBounds bounds;
  bounds.snapshots_max = 3;
  bounds.snapshots_slack = 2;
  Snapshots snapshots = workspace.snapshots(bounds);
  std::vector<SnapshotId> ids;
  for (int i = 0; i < 6; ++i) {
    workspace.write("a", "content " + std::to_string(i));
    ids.push_back(take(snapshots));
  }
  const auto left = snapshots.list();
  REQUIRE(left->size() == 3);
  CHECK(left->front().id == ids[3]);
  CHECK(snapshots.find(ids[0]).error().code == ErrorCode::not_found);
  std::size_t objects = 0;
  for (const auto& entry : fs::recursive_directory_iterator(snapshots.folder() / "objects"))
    objects += entry.is_regular_file() ? 1 : 0;
  CHECK(objects == 6);  // three contents, three trees
  restore(snapshots, ids[3]);
  CHECK(workspace.read("a") == "content 3");

  bounds.store_bytes_max = 0;
  Snapshots tight = workspace.snapshots(bounds);
  REQUIRE(tight.sweep());
  CHECK(tight.list()->size() == 1);
  restore(tight, tight.list()->front().id);
}

TEST_CASE("snapshots older than the bound go", "[tools][git]") {
  const Workspace workspace;
  workspace.write("a", "x");
  std::int64_t now = 1'700'000'000'000'000'000;
  SnapshotOptions options{workspace.state / "snapshots", workspace.root, {}, [&] { return now; }};
  Snapshots snapshots = *Snapshots::open(options);
  const SnapshotId old = take(snapshots);
  now += std::int64_t{16} * 24 * 3600 * 1'000'000'000;
  const SnapshotId fresh = take(snapshots);
  REQUIRE(snapshots.list()->size() == 1);
  CHECK(snapshots.list()->front().id == fresh);
  CHECK_FALSE(snapshots.find(old));
}

TEST_CASE("snapshots are in order though the clock went back", "[tools][git]") {
  const Workspace workspace;
  std::int64_t now = 1'700'000'000'000'000'000;
  SnapshotOptions options{workspace.state / "snapshots", workspace.root, {}, [&] { return now; }};
  Snapshots snapshots = *Snapshots::open(options);
  const SnapshotId first = take(snapshots);
  now -= 3'600'000'000'000;
  CHECK(first < take(snapshots));
}

TEST_CASE("several users of one store wait for each other", "[tools][git]") {
  const Workspace workspace;
  for (int i = 0; i < 30; ++i) workspace.write("f" + std::to_string(i), std::to_string(i));
  std::vector<std::thread> threads;
  std::vector<std::string> errors(4);
  for (std::string& error : errors) {
    threads.emplace_back([&workspace, &error] {
      Snapshots snapshots = workspace.snapshots();
      for (int i = 0; i < 5; ++i)
        if (const auto taken = snapshots.take("t"); !taken) error = taken.error().message;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : errors) CHECK(error.empty());
  CHECK(workspace.snapshots().list()->size() == 20);
}

TEST_CASE("a cache or record that is damaged costs time or one snapshot", "[tools][git]") {
  const Workspace workspace;
  workspace.write("a", "1");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId first = take(snapshots);
  const SnapshotId second = take(snapshots);
  std::ofstream(snapshots.folder() / "cache") << "damaged";
  std::ofstream(snapshots.folder() / "records" / (first.to_string() + ".json")) << "{";
  std::ofstream(snapshots.folder() / "records" / "not-an-id.json") << "{";
  workspace.write("a", "2");
  const SnapshotId third = take(snapshots);
  CHECK(snapshots.list()->size() == 2);
  CHECK_FALSE(snapshots.restore(first, {}, Conflicts::stop));
  restore(snapshots, second);
  CHECK(workspace.read("a") == "1");
  restore(snapshots, third);
  CHECK(workspace.read("a") == "2");
}

TEST_CASE("a content that is lost is reported, the rest is restored", "[tools][git]") {
  const Workspace workspace;
  workspace.write("a", "lost content");
  workspace.write("b", "1");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId id = take(snapshots);
  const auto object = ObjectStore::id_of("lost content", ObjectStore::Kind::content);
  const std::string hex = to_hex(*object);
  REQUIRE(fs::remove(snapshots.folder() / "objects" / hex.substr(0, 2) / hex.substr(2)));
  workspace.write("a", "2");
  workspace.write("b", "2");
  const RestoreReport report = restore(snapshots, id);
  REQUIRE(report.not_restored.size() == 1);
  CHECK(report.not_restored[0].path == "a");
  CHECK(report.changed == std::vector<std::string>{"b"});
}

TEST_CASE("a store inside the workspace is not in its own snapshots", "[tools][git]") {
  const Workspace workspace;
  workspace.write("a", "1");
  Snapshots snapshots =
      *Snapshots::open({workspace.root / ".state" / "snapshots", workspace.root, {}, {}});
  const SnapshotId id = take(snapshots);
  workspace.write("a", "2");
  restore(snapshots, id);
  CHECK(workspace.read("a") == "1");
  CHECK(snapshots.list()->size() == 2);
}

TEST_CASE("what git tracks is covered though it is ignored", "[tools][git][e2e]") {
  const Workspace workspace;
  test::git(workspace.root, {"init", "-q"});
  workspace.write(".gitignore", "gen/\n*.log\n");
  workspace.write("gen/kept.c", "1");
  workspace.write("gen/other.c", "1");
  workspace.write("x.log", "1");
  workspace.write(".git/info/exclude", "private\n");
  workspace.write("private", "1");
  test::git(workspace.root, {"add", "-f", ".gitignore", "gen/kept.c"});
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId id = take(snapshots);
  for (const auto* name : {"gen/kept.c", "gen/other.c", "x.log", "private"})
    workspace.write(name, "2");
  const std::string config = workspace.read(".git/config");
  workspace.write(".git/config", config + "# changed\n");
  restore(snapshots, id);
  CHECK(workspace.read("gen/kept.c") == "1");
  CHECK(workspace.read("gen/other.c") == "2");
  CHECK(workspace.read("x.log") == "2");
  CHECK(workspace.read("private") == "2");
  CHECK(workspace.read(".git/config") == config + "# changed\n");
}

TEST_CASE("files of nested repositories are covered, their .git is not", "[tools][git][e2e]") {
  const Workspace workspace;
  workspace.write("nested/a", "1");
  test::git(workspace.root / "nested", {"init", "-q"});
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId id = take(snapshots);
  workspace.write("nested/a", "2");
  workspace.write("nested/.git/new", "x");
  restore(snapshots, id);
  CHECK(workspace.read("nested/a") == "1");
  CHECK(workspace.has("nested/.git/new"));
}

}  // namespace
}  // namespace fathom::tools
