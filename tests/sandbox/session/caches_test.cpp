#include "sandbox/caches.hpp"

#include "policies/policy.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>

#include <filesystem>

namespace fathom::sandbox {
namespace {

struct Home {
  test::TempDir dir;
  HostFacts host;
  policies::Policy policy;

  Home() {
    std::filesystem::create_directories(dir / "home");
    host.home = std::filesystem::canonical(dir / "home").string();
  }
  [[nodiscard]] std::vector<OverlayPlan> overlays(const std::string& workspace) const {
    const auto made = cache_overlays(policy, host, {workspace, 0, 0}, dir / "layers");
    REQUIRE(made);
    return *made;
  }
};

TEST_CASE("every cache that a policy may name has folders below the home") {
  for (const std::string_view name : policies::kCacheNames) {
    const auto folders = cache_folders(std::string(name));
    INFO(name);
    CHECK_FALSE(folders.empty());
    for (const std::string& folder : folders) CHECK(folder.find("..") == std::string::npos);
  }
  CHECK(cache_folders("nothing").empty());
}

TEST_CASE("a cache on the host is read below a layer of the project") {
  Home home;
  home.policy.filesystem.caches = {"npm", "pip"};
  std::filesystem::create_directories(home.dir / "home/.npm");
  const auto overlays = home.overlays("/w");
  REQUIRE(overlays.size() == 2);
  CHECK(overlays[0].path == home.host.home + "/.npm");
  CHECK(overlays[0].has_lower);
  CHECK_FALSE(overlays[1].has_lower);
  struct stat info{};
  for (const OverlayPlan& overlay : overlays)
    for (const char* part : {"/upper", "/work"}) {
      REQUIRE(::stat((overlay.folder + part).c_str(), &info) == 0);
      CHECK((info.st_mode & 0777) == 0700);
    }
  CHECK_FALSE(std::filesystem::exists(home.host.home + "/.cache"));
}

TEST_CASE("two projects have two layers, and one project always the same") {
  Home home;
  home.policy.filesystem.caches = {"npm"};
  CHECK(home.overlays("/a") == home.overlays("/a"));
  CHECK(home.overlays("/a")[0].folder != home.overlays("/b")[0].folder);
}

TEST_CASE("a cache that is a link, or below one, is not looked into") {
  Home home;
  home.policy.filesystem.caches = {"npm", "cargo"};
  std::filesystem::create_directories(home.dir / "elsewhere/registry");
  std::filesystem::create_directory_symlink(home.dir / "elsewhere", home.dir / "home/.npm");
  std::filesystem::create_directory_symlink(home.dir / "elsewhere", home.dir / "home/.cargo");
  for (const OverlayPlan& overlay : home.overlays("/w")) CHECK_FALSE(overlay.has_lower);
}

TEST_CASE("without a home there are no caches") {
  Home home;
  home.policy.filesystem.caches = {"npm"};
  home.host.home.clear();
  CHECK(home.overlays("/w").empty());
}

}  // namespace
}  // namespace fathom::sandbox
