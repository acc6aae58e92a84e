#include "tools/git/beneath.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/tools/git/tree_fixture.hpp"

#include <fcntl.h>

namespace fathom::tools {
namespace {

namespace fs = std::filesystem;

TEST_CASE("a path of a model or patch is plain or refused", "[tools][git]") {
  CHECK(*plain_path("a/b") == "a/b");
  CHECK(*plain_path("./a//b/") == "a/b");
  CHECK(plain_path(".")->empty());
  CHECK(*plain_path(".github/.gitignore") == ".github/.gitignore");
  for (const std::string_view path :
       {"/a", "..", "a/../b", ".git", "a/.GIT/config", ".git/hooks/x", "sub/.git"})
    CHECK_FALSE(plain_path(path));
  CHECK_FALSE(plain_path(std::string("a\0b", 3)));
}

TEST_CASE("nothing is written through a link", "[tools][git]") {
  const test::Workspace workspace;
  fs::create_directories(workspace.dir / "outside");
  fs::create_directory_symlink(workspace.dir / "outside", workspace.root / "way");
  const fathom::UniqueFd root(::open(workspace.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK_FALSE(write_beneath(root.get(), "way/x", "1", 0644));
  CHECK_FALSE(link_beneath(root.get(), "way/x", "y"));
  CHECK_FALSE(make_folder_beneath(root.get(), "way/x", 0755));
  CHECK_FALSE(make_folder_beneath(root.get(), "way", 0755));
  CHECK_FALSE(make_parents_beneath(root.get(), "way/x/y"));
  CHECK_FALSE(remove_beneath(root.get(), "way/x"));
  CHECK_FALSE(write_beneath(root.get(), "../x", "1", 0644));
  CHECK_FALSE(write_beneath(root.get(), "..", "1", 0644));
  CHECK_FALSE(set_permissions_beneath(root.get(), "way", 0700));
  CHECK(fs::is_empty(workspace.dir / "outside"));
}

TEST_CASE("a link is replaced, not followed, and a folder is not replaced", "[tools][git]") {
  const test::Workspace workspace;
  workspace.dir.write("outside", "theirs");
  fs::create_symlink(workspace.dir / "outside", workspace.root / "a");
  const fathom::UniqueFd root(::open(workspace.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(write_beneath(root.get(), "a", "ours", 0640));
  CHECK(fathom::test::slurp(workspace.dir / "outside") == "theirs");
  fs::create_directory(workspace.root / "d");
  CHECK_FALSE(write_beneath(root.get(), "d", "x", 0644));
  const std::map<std::string, std::string> expected = {{"a", "file 640 ours"}, {"d", "folder 755"}};
  CHECK(test::tree_of(workspace.root) == expected);
}

}  // namespace
}  // namespace fathom::tools
