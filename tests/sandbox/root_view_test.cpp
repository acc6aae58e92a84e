// What a session sees where hidden, private and shown folders stand in each other.
#include "sandbox/root_view.hpp"

#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace fathom::sandbox {
namespace {

using policies::Access;
using test::SandboxFixture;

HostPath folder_at(const std::string& path) { return {path, PathType::folder}; }

std::vector<std::string> attached(const CompileInput& input) {
  const auto entries = view_entries(input, folder_at);
  REQUIRE(entries);
  const auto view = build_root_view(input, *entries);
  REQUIRE(view);
  std::vector<std::string> paths;
  for (const MountStep& step : view->mounts.steps())
    if (step.op == wire::MountOp::attach) paths.push_back(step.path);
  return paths;
}

TEST_CASE("what is hidden in a private folder is absent without a cover", "[sandbox]") {
  policies::Policy policy;
  policy.filesystem.grants = {{"/run/user", Access::hidden, ""}, {"/srv", Access::hidden, ""}};
  HostFacts host;
  host.uid = 1000;
  host.home = "/root/home";
  const Workspace workspace{"/work", 1000, 1000};
  const auto paths = attached({policy, host, workspace});
  CHECK(std::ranges::find(paths, "/run/user") == paths.end());
  CHECK(std::ranges::find(paths, "/srv") != paths.end());
}

TEST_CASE("what is hidden in /sys is covered in the session's own /sys", "[sandbox]") {
  policies::Policy policy;
  policy.filesystem.grants = {{"/sys/firmware", Access::hidden, ""}};
  const HostFacts host;
  const Workspace workspace{"/work", 0, 0};
  const CompileInput input{policy, host, workspace};
  const auto entries = view_entries(input, folder_at);
  REQUIRE(entries);
  const auto view = build_root_view(input, *entries);
  REQUIRE(view);
  const auto& steps = view->mounts.steps();
  const auto sysfs = std::ranges::find(steps, wire::MountOp::sysfs, &MountStep::op);
  REQUIRE(sysfs != steps.end());
  CHECK(std::ranges::find(sysfs, steps.end(), "/sys/firmware", &MountStep::path) != steps.end());
}

struct HomeBelowHome {
  std::string path = "/home/fathom-test-XXXXXX";
  bool made = ::mkdtemp(path.data()) != nullptr;
  ~HomeBelowHome() {
    std::error_code ignored;
    if (made) std::filesystem::remove_all(path, ignored);
  }
};

TEST_CASE("a home and a workspace stand in a hidden folder", "[sandbox]") {
  if (::geteuid() != 0) return test::skip("a home below /home: only root can make one here");
  const HomeBelowHome made;
  if (!made.made) return test::skip("a home below /home: there is no such folder");
  const std::filesystem::path home = made.path;
  std::filesystem::create_directories(home / "project");
  std::ofstream(home / "secret") << "SECRET\n";
  {
    SandboxFixture box({[&](LauncherOptions& options) {
      options.host.home = home;
      options.workspace.root = home / "project";
      options.policy.filesystem.grants = {{"/home", Access::hidden, ""}};
    }});
    const Outcome outcome = box.sh(
        "echo new > file && cat file; ls -A ~ /home; cat ~/secret;"
        "touch /home/other || touch ~/private && ls -A ~");
    CHECK(outcome.out.text() == "new\n/home:\n" + home.filename().string() + "\n\n" +
                                    home.string() + ":\nproject\nprivate\nproject\n");
    CHECK(outcome.rung == Rung::full);
  }
  CHECK(std::filesystem::exists(home / "project/file"));
  CHECK_FALSE(std::filesystem::exists(home / "private"));
}

}  // namespace
}  // namespace fathom::sandbox
