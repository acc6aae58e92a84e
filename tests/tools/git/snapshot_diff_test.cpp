#include "tools/git/snapshot_diff.hpp"

#include "tests/support/catch.hpp"
#include "tests/tools/git/tree_fixture.hpp"
#include "tools/git/patch_text.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <random>

namespace fathom::tools {
namespace {

namespace fs = std::filesystem;
using test::Workspace;

SnapshotId take(Snapshots& snapshots) {
  auto taken = snapshots.take("step");
  INFO((taken ? "" : taken.error().message));
  REQUIRE(taken);
  return taken->record.id;
}

SnapshotDiff diff(const Snapshots& snapshots, const SnapshotId& from, const SnapshotId& to,
                  const DiffBounds& bounds = {}) {
  auto found = snapshots.diff(from, to, bounds);
  INFO((found ? "" : found.error().message));
  REQUIRE(found);
  return *std::move(found);
}

// "modified src/a.c +1 -2", with what is not said in lines.
std::string line_of(const ChangedFile& file) {
  constexpr std::string_view kTold[] = {"", " binary", " too large", " lost"};
  std::string line = std::string(name_of(file.change)) + " " + file.path + " +" +
                     std::to_string(file.added) + " -" + std::to_string(file.removed);
  return line.append(kTold[static_cast<std::size_t>(file.told)]);
}

std::vector<std::string> lines_of(const SnapshotDiff& diff) {
  std::vector<std::string> lines;
  lines.reserve(diff.files.size());
  for (const ChangedFile& file : diff.files) lines.push_back(line_of(file));
  return lines;
}

using Lines = std::vector<std::string>;

TEST_CASE("the diff of two snapshots lists what changed, by path", "[tools][git]") {
  const Workspace workspace;
  workspace.write("src/b.c", "1\n2\n3\n");
  workspace.write("gone", "x\ny\n");
  workspace.write("same", "x\n");
  workspace.write("tool", "x\n");
  workspace.write("image", std::string("\0\1", 2));
  fs::create_symlink("old", workspace.root / "link");
  workspace.write("was-file", "x\n");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId from = take(snapshots);
  workspace.write("src/b.c", "1\nB\n3\n4\n");
  workspace.write("src/a.c", "new\n");
  fs::remove(workspace.root / "gone");
  REQUIRE(::chmod((workspace.root / "tool").c_str(), 0755) == 0);
  workspace.write("image", std::string("\0\2", 2));
  fs::remove(workspace.root / "link");
  fs::create_symlink("new", workspace.root / "link");
  fs::remove(workspace.root / "was-file");
  fs::create_symlink("b", workspace.root / "was-file");
  const SnapshotId to = take(snapshots);

  const SnapshotDiff found = diff(snapshots, from, to);
  CHECK(lines_of(found) == Lines{"deleted gone +0 -2", "modified image +0 -0 binary",
                                 "modified link +1 -1", "added src/a.c +1 -0",
                                 "modified src/b.c +2 -1", "permissions tool +0 -0",
                                 "retyped was-file +1 -1"});
  CHECK(found.added == 5);
  CHECK(found.removed == 5);
  CHECK(found.unsure.empty());
  CHECK(found.more_files == 0);
  CHECK_FALSE(found.is_cut);
  CHECK(found.files[2].after->kind == NodeKind::link);
  CHECK(found.files[5].before->permissions == 0644);
  CHECK(found.files[5].after->permissions == 0755);
}

TEST_CASE("the patch of a diff reads as git writes it", "[tools][git]") {
  const Workspace workspace;
  workspace.write("a", "1\n2\n3\n4\n5\n6\n7\n8\n9");
  workspace.write("image", std::string("\0\1", 2));
  fs::create_symlink("old", workspace.root / "link");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId from = take(snapshots);
  workspace.write("a", "1\n2\n3\n4\n5\n6\n7\n8\nnine\n");
  workspace.write("image", std::string("\0\2", 2));
  fs::remove(workspace.root / "link");
  workspace.write("link", "text\n");
  REQUIRE(::chmod((workspace.root / "link").c_str(), 0700) == 0);
  CHECK(diff(snapshots, from, take(snapshots)).patch ==
        "diff --git a/a b/a\n"
        "index 83b2a162e3..e952784d6e 100644\n"
        "--- a/a\n"
        "+++ b/a\n"
        "@@ -6,4 +6,4 @@\n"
        " 6\n"
        " 7\n"
        " 8\n"
        "-9\n"
        "\\ No newline at end of file\n"
        "+nine\n"
        "diff --git a/image b/image\n"
        "index bdc955b7b2..8835708590 100644\n"
        "Binary files a/image and b/image differ\n"
        "diff --git a/link b/link\n"
        "deleted file mode 120000\n"
        "index 489ce0f857..0000000000\n"
        "--- a/link\n"
        "+++ /dev/null\n"
        "@@ -1 +0,0 @@\n"
        "-old\n"
        "\\ No newline at end of file\n"
        "diff --git a/link b/link\n"
        "new file mode 100755\n"
        "index 0000000000..8e27be7d61\n"
        "--- /dev/null\n"
        "+++ b/link\n"
        "@@ -0,0 +1 @@\n"
        "+text\n");
}

TEST_CASE("the same state twice has no difference, also where permissions are no concern of git's",
          "[tools][git]") {
  const Workspace workspace;
  workspace.write("a", "1\n");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId from = take(snapshots);
  const SnapshotDiff none = diff(snapshots, from, take(snapshots));
  CHECK(none.files.empty());
  CHECK(none.patch.empty());
  REQUIRE(::chmod((workspace.root / "a").c_str(), 0600) == 0);
  const SnapshotDiff closed = diff(snapshots, from, take(snapshots));
  CHECK(lines_of(closed) == Lines{"permissions a +0 -0"});
  CHECK(closed.patch.empty());
}

TEST_CASE("git makes the second state of the first with the patch", "[tools][git][e2e]") {
  const Workspace workspace;
  const std::vector<std::string> names = {"plain",       "with space", "q\"uote\\",
                                          "t\tab\nline", "\xC3\xA4",   "deep/er/x"};
  for (const std::string& name : names) workspace.write(name, "1\n2\n3\n" + name);
  workspace.write("goes away", "x\n");
  workspace.write("empty goes", "");
  workspace.write("retyped", "x\n");
  fs::create_symlink("to", workspace.root / "a link");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId from = take(snapshots);
  const fs::path copy = workspace.dir / "copy";
  fs::copy(workspace.root, copy, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  for (const std::string& name : names) workspace.write(name, "1\nB\n3\n" + name + "\n");
  REQUIRE(::chmod((workspace.root / "plain").c_str(), 0755) == 0);
  for (const auto* name : {"goes away", "empty goes", "retyped", "a link"})
    fs::remove(workspace.root / name);
  fs::create_symlink("plain", workspace.root / "retyped");
  fs::create_symlink("elsewhere", workspace.root / "a link");
  workspace.write("empty comes", "");
  workspace.write("new folder/new", "n");

  const SnapshotDiff found = diff(snapshots, from, take(snapshots));
  const fs::path patch = workspace.dir.write("the.patch", found.patch);
  test::git(copy, {"init", "-q"});
  test::git(copy, {"apply", "--whitespace=nowarn", patch.string()});
  CHECK(test::tree_of(copy) == test::tree_of(workspace.root));
}

TEST_CASE("texts of any lines come out of their patch again", "[tools][git]") {
  std::mt19937 random(1);
  const auto below = [&](std::size_t bound) { return random() % bound; };
  constexpr std::string_view kWords[] = {"a", "b", "", "  c", "-e", "+f", "@@", "\\ g"};
  const auto text = [&](std::string_view ending) {
    std::string made;
    for (std::size_t i = below(40); i > 0; --i)
      made.append(kWords[below(std::size(kWords))]).append(ending);
    if (below(3) == 0) made += "no end";
    return made;
  };
  const Workspace workspace;
  Snapshots snapshots = workspace.snapshots();
  for (int round = 0; round < 40; ++round) {
    const std::string_view ending = below(3) == 0 ? "\r\n" : "\n";
    std::string before = text(ending);
    const std::size_t kept = below(2) == 0 ? before.find(ending, before.size() / 2) : 0;
    std::string after = kept == std::string::npos
                            ? text(ending)
                            : before.substr(0, kept) + ending.data() + text(ending);
    if (before.empty()) before = "x\n";  // else the file is as git's /dev/null to a strict reader
    if (after.empty()) after = "y\n";
    workspace.write("f", before);
    const SnapshotId from = take(snapshots);
    workspace.write("f", after);
    const SnapshotDiff found = diff(snapshots, from, take(snapshots));
    if (before == after) continue;
    const auto parsed = parse_patch(found.patch);
    INFO(found.patch);
    REQUIRE(parsed);
    REQUIRE(parsed->size() == 1);
    const PatchedText patched = apply_hunks(before, parsed->front().hunks);
    CHECK(patched.rejected.empty());
    CHECK(patched.text == after);
    std::size_t added = 0;
    std::size_t removed = 0;
    for (const Hunk& hunk : parsed->front().hunks)
      for (const PatchLine& line : hunk.lines) {
        added += line.sign == '+' ? 1 : 0;
        removed += line.sign == '-' ? 1 : 0;
      }
    CHECK(found.files.at(0).added == added);
    CHECK(found.files.at(0).removed == removed);
  }
}

TEST_CASE("a patch beyond its bound ends with how much more there is", "[tools][git]") {
  const Workspace workspace;
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId from = take(snapshots);
  workspace.write("a", "1\n2\n3\n");
  workspace.write("b", "1\n");
  const SnapshotId to = take(snapshots);
  const std::string whole = diff(snapshots, from, to).patch;
  DiffBounds bounds;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    bounds.patch_bytes_max = size;
    const SnapshotDiff found = diff(snapshots, from, to, bounds);
    CHECK(found.is_cut == (size < whole.size()));
    CHECK(lines_of(found) == Lines{"added a +3 -0", "added b +1 -0"});
    const std::size_t end = found.is_cut ? found.patch.rfind("[cut here: ") : whole.size();
    REQUIRE(end != std::string::npos);
    CHECK(end <= size);
    CHECK(found.patch.substr(0, end) == whole.substr(0, end));
  }
  bounds.patch_bytes_max = whole.size() - 1;
  CHECK(diff(snapshots, from, to, bounds).patch.ends_with("[cut here: 1 more line, of 1 file]\n"));
  bounds.patch_bytes_max = 0;
  CHECK(diff(snapshots, from, to, bounds).patch == "[cut here: 16 more lines, of 2 files]\n");
}

TEST_CASE("files beyond the bound are counted, not named", "[tools][git]") {
  const Workspace workspace;
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId from = take(snapshots);
  for (int i = 0; i < 5; ++i) workspace.write("f" + std::to_string(i), "x\n");
  DiffBounds bounds;
  bounds.files_max = 3;
  const SnapshotDiff found = diff(snapshots, from, take(snapshots), bounds);
  CHECK(found.files.size() == 3);
  CHECK(found.more_files == 2);
  CHECK(found.patch.find("f3") == std::string::npos);
}

TEST_CASE("a content that is too large or lost is said to differ, the others are shown",
          "[tools][git]") {
  const Workspace workspace;
  workspace.write("big", "x\n");
  workspace.write("lost", "lost content\n");
  workspace.write("small", "1\n");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId from = take(snapshots);
  for (const auto* name : {"big", "lost", "small"})
    workspace.write(name, std::string(name[0] == 'b' ? 200 : 20, 'y') + name + "\n");
  const SnapshotId to = take(snapshots);
  const auto id = ObjectStore::id_of("lost content\n", ObjectStore::Kind::content);
  REQUIRE(id);
  const std::string hex = to_hex(*id);
  REQUIRE(fs::remove(snapshots.folder() / "objects" / hex.substr(0, 2) / hex.substr(2)));
  DiffBounds bounds;
  bounds.file_bytes_max = 100;
  const SnapshotDiff found = diff(snapshots, from, to, bounds);
  CHECK(lines_of(found) ==
        Lines{"modified big +0 -0 too large", "modified lost +0 -0 lost", "modified small +1 -1"});
  CHECK(found.patch.find("Files a/big and b/big differ: too large to show\n") != std::string::npos);
  CHECK(found.patch.find("Files a/lost and b/lost differ: the store lost one\n") !=
        std::string::npos);
  bounds = {};
  bounds.read_bytes_max = 210;
  CHECK(diff(snapshots, from, to, bounds).files.back().told == Told::too_large);
}

TEST_CASE("what only one snapshot looked at is unsure, not made or deleted", "[tools][git]") {
  const Workspace workspace;
  workspace.write("hidden.o", "1");
  workspace.write("grows", "1");
  workspace.write(".gitignore", "*.a\n");
  workspace.write("shown.a", "1");
  SnapshotBounds bounds;
  bounds.scan.file_bytes_max = 100;
  Snapshots snapshots = workspace.snapshots(bounds);
  const SnapshotId from = take(snapshots);
  workspace.write(".gitignore", "*.o\n");
  workspace.write("grows", std::string(200, 'x'));
  const SnapshotDiff found = diff(snapshots, from, take(snapshots));
  CHECK(lines_of(found) == Lines{"modified .gitignore +1 -1"});
  CHECK(found.unsure == Lines{"grows", "hidden.o", "shown.a"});
}

TEST_CASE("a file in the place of a folder is a deletion for each file in it", "[tools][git]") {
  const Workspace workspace;
  workspace.write("x/a", "1\n");
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId from = take(snapshots);
  fs::remove_all(workspace.root / "x");
  workspace.write("x", "file\n");
  const SnapshotId to = take(snapshots);
  CHECK(lines_of(diff(snapshots, from, to)) == Lines{"added x +1 -0", "deleted x/a +0 -1"});
  CHECK(lines_of(diff(snapshots, to, from)) == Lines{"deleted x +0 -1", "added x/a +1 -0"});
}

TEST_CASE("a diff with a snapshot that is not there says so", "[tools][git]") {
  const Workspace workspace;
  Snapshots snapshots = workspace.snapshots();
  const SnapshotId from = take(snapshots);
  const auto missing = SnapshotId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  REQUIRE(missing);
  CHECK(snapshots.diff(from, *missing).error().code == ErrorCode::not_found);
  CHECK(snapshots.diff(*missing, from).error().code == ErrorCode::not_found);
}

}  // namespace
}  // namespace fathom::tools
