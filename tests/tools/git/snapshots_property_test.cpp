#include "tests/support/catch.hpp"
#include "tests/tools/git/tree_fixture.hpp"
#include "tools/git/snapshots.hpp"

#include <array>
#include <fstream>
#include <random>

namespace fathom::tools {
namespace {

namespace fs = std::filesystem;

// Paths from few names, so that files, links and folders take each other's places.
std::string random_path(std::mt19937& random) {
  constexpr std::array<std::string_view, 5> kNames = {"a", "b", "c.x", "dir", "e"};
  std::string path;
  for (unsigned i = 0; i <= random() % 3; ++i)
    path += (path.empty() ? "" : "/") + std::string(kNames[random() % kNames.size()]);
  return path;
}

bool is_below_file(const fs::path& root, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const fs::file_status status = fs::symlink_status(root / path.substr(0, slash));
    if (!fs::exists(status)) return false;
    if (!fs::is_directory(status)) return true;
  }
  return false;
}

void edit(std::mt19937& random, const fs::path& root) {
  const std::string path = random_path(random);
  const fs::path whole = root / path;
  if (is_below_file(root, path)) return;
  switch (random() % 7) {
    case 0:
      fs::remove_all(whole);
      return;
    case 1:
      fs::remove_all(whole);
      fs::create_directories(whole);
      return;
    case 2:
      fs::create_directories(whole.parent_path());
      fs::remove_all(whole);
      fs::create_symlink(random_path(random), whole);
      return;
    case 3: {
      const fs::file_status status = fs::symlink_status(whole);
      if (fs::is_regular_file(status) || fs::is_directory(status))
        fs::permissions(whole, fs::perms(0700 | (random() % 64)));
      return;
    }
    default:
      fs::create_directories(whole.parent_path());
      if (!fs::is_regular_file(fs::symlink_status(whole))) fs::remove_all(whole);
      std::ofstream(whole) << random() % 4;
  }
}

TEST_CASE("whatever is edited, a restore gives the tree of its snapshot", "[tools][git]") {
  std::mt19937 random(1);
  for (int round = 0; round < 25; ++round) {
    const test::Workspace workspace;
    Snapshots snapshots = workspace.snapshots();
    std::vector<std::pair<SnapshotId, std::map<std::string, std::string>>> taken;
    for (int step = 0; step < 6; ++step) {
      for (unsigned i = 0; i < 1 + random() % 12; ++i) edit(random, workspace.root);
      const auto tree = test::tree_of(workspace.root);
      const auto one = snapshots.take("step");
      REQUIRE(one);
      CHECK(test::tree_of(workspace.root) == tree);
      taken.emplace_back(one->record.id, tree);
    }
    for (int back = 0; back < 4; ++back) {
      const auto& [id, tree] = taken[random() % taken.size()];
      for (unsigned i = 0; i < random() % 6; ++i) edit(random, workspace.root);
      INFO("round " << round << " back " << back);
      const auto restored = snapshots.restore(id, {}, Conflicts::stop);
      REQUIRE(restored);
      CHECK(test::reasons(restored->report).empty());
      REQUIRE(test::tree_of(workspace.root) == tree);
      CHECK(snapshots.plan(id, {})->changes.empty());
    }
  }
}

}  // namespace
}  // namespace fathom::tools
