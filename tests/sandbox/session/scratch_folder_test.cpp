#include "sandbox/scratch_folder.hpp"

#include "sandbox/without_capabilities.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <fstream>

namespace fathom::sandbox {
namespace {

namespace fs = std::filesystem;

// As Go's module cache lies there: nobody may write it, its owner neither.
void fill_read_only(const fs::path& folder) {
  fs::create_directories(folder / "mod/package");
  std::ofstream(folder / "mod/package/file.go") << "package p\n";
  for (const char* name : {"mod/package", "mod"})
    fs::permissions(folder / name, fs::perms::owner_read | fs::perms::owner_exec);
}

TEST_CASE("a scratch folder goes with folders that nobody may write", "[sandbox]") {
  test::TempDir parent;
  // Root could remove them as they are.
  const WithoutCapabilities as_ordinary_user;
  REQUIRE(as_ordinary_user.holds());
  auto scratch = ScratchFolder::create(parent.path());
  REQUIRE(scratch);
  fill_read_only(scratch->home());
  std::error_code error;
  fs::remove_all(scratch->home(), error);
  REQUIRE(error);
  scratch->remove();
  CHECK(fs::is_empty(parent.path()));
}

TEST_CASE("a scratch folder left behind goes with folders that nobody may write", "[sandbox]") {
  test::TempDir parent;
  const WithoutCapabilities as_ordinary_user;
  REQUIRE(as_ordinary_user.holds());
  auto scratch = ScratchFolder::create(parent.path());
  REQUIRE(scratch);
  const std::string left = "fathom-1-1-0-0-0";  // of another boot, and nobody holds it
  fill_read_only(parent / left);
  auto next = ScratchFolder::create(parent.path());
  REQUIRE(next);
  CHECK_FALSE(fs::exists(parent / left));
  CHECK(fs::exists(next->path()));
  CHECK(fs::exists(scratch->path()));
}

}  // namespace
}  // namespace fathom::sandbox
