#include "tools/edit/follow_links.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>

#include <filesystem>

using namespace fathom;
using namespace fathom::tools;
namespace fs = std::filesystem;

namespace {

// A tree that is called /w in links and answers, wherever it is.
struct Tree {
  test::TempDir dir;
  UniqueFd folder{::open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};

  Tree() {
    dir.write("a/b/file", "");
    link("a/b", "to_folder");
    link("a/b/file", "to_file");
    link("/w/a", "absolute");
    link("to_folder", "twice");
    link("a/none", "to_nothing");
    link("to_nothing", "to_to_nothing");
    link("loop", "loop");
    link("../../x", "a/up");
    link("/etc/hosts", "away");
    link("../absolute/b", "a/round");
  }
  void link(const char* target, const char* name) const {
    fs::create_symlink(target, dir.path() / name);
  }
  [[nodiscard]] Result<Followed> follow(std::string_view path) const {
    return follow_links(folder.get(), "/w", path);
  }
  [[nodiscard]] std::string inside(std::string_view path) const {
    const Followed followed = follow(path).value();
    return followed.inside && !followed.dangling ? followed.path : "";
  }
  [[nodiscard]] std::string outside(std::string_view path) const {
    const Followed followed = follow(path).value();
    return followed.inside ? "" : followed.path;
  }
};

}  // namespace

TEST_CASE("links are followed in every place of a path", "[tools]") {
  const Tree tree;
  CHECK(tree.inside("a/b/file") == "/w/a/b/file");
  CHECK(tree.inside("to_file") == "/w/a/b/file");
  CHECK(tree.inside("to_folder/file") == "/w/a/b/file");
  CHECK(tree.inside("absolute/b/file") == "/w/a/b/file");
  CHECK(tree.inside("twice/file") == "/w/a/b/file");
  CHECK(tree.inside("a/round/file") == "/w/a/b/file");
  CHECK(tree.inside("/w/twice") == "/w/a/b");
  CHECK(tree.inside("/w") == "/w");
  CHECK(tree.inside(".") == "/w");
}

TEST_CASE("dots count after the links before them", "[tools]") {
  const Tree tree;
  CHECK(tree.inside("to_folder/../b/./file") == "/w/a/b/file");
  CHECK(tree.inside("a/..//a/b/") == "/w/a/b");
  CHECK(tree.outside("to_folder/../../../x") == "//x");
  CHECK(tree.outside("..") == "/");
}

TEST_CASE("what is not there yet is named where it would be", "[tools]") {
  const Tree tree;
  CHECK(tree.inside("new") == "/w/new");
  CHECK(tree.inside("twice/new/file") == "/w/a/b/new/file");
  CHECK(tree.inside("a/b/file/below") == "/w/a/b/file/below");
  CHECK(tree.inside("new/../a") == "/w/a");
}

TEST_CASE("a link to nothing is told from a new file behind a link", "[tools]") {
  const Tree tree;
  CHECK(tree.follow("to_nothing")->dangling);
  CHECK(tree.follow("to_to_nothing")->dangling);
  CHECK(tree.follow("to_nothing/x")->dangling);
  CHECK_FALSE(tree.follow("to_folder/new")->dangling);
  CHECK_FALSE(tree.follow("twice/new")->dangling);
}

TEST_CASE("what leads out of the tree is followed no further", "[tools]") {
  const Tree tree;
  CHECK(tree.outside("/etc/passwd") == "/etc/passwd");
  CHECK(tree.outside("/wide") == "/wide");
  CHECK(tree.outside("away") == "/etc/hosts");
  CHECK(tree.outside("a/up/y") == "//x/y");
  CHECK(tree.outside("a/../away/z") == "/etc/hosts/z");
  const auto loop = tree.follow("loop");
  REQUIRE_FALSE(loop);
  CHECK(loop.error().message == "more than 40 links");
}
