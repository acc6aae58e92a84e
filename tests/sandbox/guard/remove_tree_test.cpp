#include "sandbox/remove_tree.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/sandbox/guard/machine.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>

using namespace fathom;

namespace {

UniqueFd open_folder(const std::filesystem::path& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

TEST_CASE("a chain of 10,000 folders is removed", "[sandbox]") {
  test::TempDir dir(test::fast_folder());
  UniqueFd at = open_folder(dir.path());
  for (int level = 0; level < 10'000; ++level) {
    REQUIRE(::mkdirat(at.get(), "d", 0755) == 0);
    at.reset(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  at.reset();
  REQUIRE(sandbox::remove_tree(open_folder(dir.path()).get(), "d"));
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a tree with wide folders, links, fifos and closed folders is removed", "[sandbox]") {
  test::TempDir dir(test::fast_folder());
  dir.write("outside/kept", "kept");
  for (int i = 0; i < 3000; ++i) {
    std::filesystem::create_directories(dir / ("t/d" + std::to_string(i) + "/e"));
    std::filesystem::create_symlink("../outside", dir / ("t/l" + std::to_string(i)));
  }
  REQUIRE(::mkfifo((dir / "t/fifo").c_str(), 0600) == 0);
  std::filesystem::create_directory_symlink(dir / "outside", dir / "t/d0/e/link");
  dir.write("t/closed/x/y", "");
  std::filesystem::permissions(dir / "t/closed/x", std::filesystem::perms::none);
  std::filesystem::permissions(dir / "t/closed", std::filesystem::perms::none);
  REQUIRE(sandbox::remove_tree(open_folder(dir.path()).get(), "t"));
  CHECK_FALSE(std::filesystem::exists(dir / "t"));
  CHECK(test::slurp(dir / "outside/kept") == "kept");
}

TEST_CASE("a file, a link and nothing are removed too", "[sandbox]") {
  test::TempDir dir;
  dir.write("kept/x", "kept");
  dir.write("file", "");
  std::filesystem::create_directory_symlink("kept", dir / "link");
  const UniqueFd folder = open_folder(dir.path());
  CHECK(sandbox::remove_tree(folder.get(), "file"));
  CHECK(sandbox::remove_tree(folder.get(), "link"));
  CHECK(sandbox::remove_tree(folder.get(), "nothing"));
  CHECK(test::slurp(dir / "kept/x") == "kept");
  CHECK_FALSE(std::filesystem::exists(std::filesystem::symlink_status(dir / "link")));
}
