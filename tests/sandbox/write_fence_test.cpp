#include "sandbox/write_fence.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

using namespace fathom;
namespace fs = std::filesystem;

namespace {

bool writes(const fs::path& file) { return std::ofstream(file).put('x').flush().good(); }

// What `work` answers on a thread that may write in `folder` only; nothing where there is no fence.
std::optional<bool> fenced(const fs::path& folder, const std::function<bool()>& work) {
  return std::async(std::launch::async,
                    [&]() -> std::optional<bool> {
                      const std::vector<std::string> folders = {folder.string()};
                      const auto fencing = sandbox::fence_writes_of_thread(folders);
                      REQUIRE(fencing);
                      if (*fencing == sandbox::Fencing::missing) return std::nullopt;
                      return work();
                    })
      .get();
}

}  // namespace

TEST_CASE("a fenced thread writes in its folders and nowhere else", "[sandbox]") {
  const test::TempDir dir;
  const fs::path in = dir / "in";
  const fs::path out = dir / "out";
  fs::create_directories(in / "a");
  fs::create_directories(in / "b");
  fs::create_directories(out);
  REQUIRE(writes(out / "kept"));
  fs::create_directory_symlink(out, in / "way-out");
  fs::create_symlink(out / "kept", in / "file-out");

  if (!fenced(in, [&] { return writes(in / "a/x"); })) {
    test::skip("no Landlock that can move files: the fence of the git tool was not tested");
    return;
  }
  CHECK(fenced(in, [&] { return writes(in / "a/y"); }) == true);
  CHECK(fenced(in, [&] {
          std::error_code failed;
          fs::rename(in / "a/y", in / "b/y", failed);
          return !failed;
        }) == true);
  CHECK(fenced(in, [&] { return writes(out / "x"); }) == false);
  CHECK(fenced(in, [&] { return writes(in / "way-out/x"); }) == false);
  CHECK(fenced(in, [&] { return writes(in / "file-out"); }) == false);
  CHECK(fenced(in, [&] {
          std::error_code failed;
          fs::remove(out / "kept", failed);
          return !failed;
        }) == false);
  CHECK(fenced(in, [&] {
          std::error_code failed;
          fs::rename(in / "b/y", out / "y", failed);
          return !failed;
        }) == false);
  CHECK(fs::exists(in / "b/y"));
  CHECK(fenced(in, [&] { return std::ifstream(out / "kept").get() == 'x'; }) == true);
  // Only that thread.
  CHECK(writes(out / "x"));
}

TEST_CASE("a fence around a folder that is a link, or is not there, is an error", "[sandbox]") {
  const test::TempDir dir;
  fs::create_directories(dir / "real");
  fs::create_directory_symlink(dir / "real", dir / "link");
  for (const char* name : {"link", "none"}) {
    const std::vector<std::string> folders = {(dir / name).string()};
    const auto fencing = sandbox::fence_writes_of_thread(folders);
    if (fencing && *fencing == sandbox::Fencing::missing) {
      test::skip("no Landlock that can move files: the fence of the git tool was not tested");
      return;
    }
    CHECK_FALSE(fencing);
  }
  CHECK(writes(dir / "still"));
}
