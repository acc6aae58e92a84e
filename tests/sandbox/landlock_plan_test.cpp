// Which rules stand for a policy where Landlock is all there is between a command and the files.
#include "sandbox/landlock_plan.hpp"

#include "policies/path_rules.hpp"
#include "sandbox/root_view.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <linux/landlock.h>

#include <algorithm>

namespace fathom::sandbox {
namespace {

using policies::Access;

LandlockPlan container_plan(const policies::Policy& policy, const std::string& workspace) {
  HostFacts host;
  host.uid = 1000;
  host.landlock_abi = 7;
  const Workspace at{workspace, 1000, 1000};
  CompileInput input{policy, host, at};
  input.rung = Rung::container;
  const auto entries = view_entries(input, look_at_path);
  REQUIRE(entries);
  return landlock_plan(input, *entries);
}

bool grants(const LandlockPlan& plan, std::string_view path, std::uint64_t access) {
  return std::ranges::any_of(plan.paths, [&](const auto& rule) {
    return policies::is_at_or_below(path, rule.first) && (rule.second & access) == access;
  });
}

TEST_CASE("what is hidden inside a readable folder has no rule of Landlock", "[sandbox]") {
  const test::TempDir root;
  root.write("tools/bin/tool", "");
  root.write("tools/credentials", "");
  root.write("work/file", "");
  const std::string tools = (root / "tools").string();
  policies::Policy policy;
  policy.filesystem.grants = {{tools, Access::read, ""},
                              {tools + "/credentials", Access::hidden, ""}};
  const LandlockPlan plan = container_plan(policy, (root / "work").string());
  CHECK(grants(plan, tools + "/bin/tool", LANDLOCK_ACCESS_FS_READ_FILE));
  CHECK_FALSE(grants(plan, tools + "/credentials", LANDLOCK_ACCESS_FS_READ_FILE));
  CHECK(grants(plan, (root / "work/file").string(), LANDLOCK_ACCESS_FS_WRITE_FILE));
}

TEST_CASE("what is hidden inside the workspace has no rule of Landlock", "[sandbox]") {
  const test::TempDir root;
  root.write("work/secrets/key", "");
  root.write("work/secrets/other", "");
  root.write("work/src/file", "");
  const std::string work = (root / "work").string();
  policies::Policy policy;
  policy.filesystem.grants = {{work + "/secrets/key", Access::hidden, ""}};
  const LandlockPlan plan = container_plan(policy, work);
  CHECK_FALSE(grants(plan, work + "/secrets/key", LANDLOCK_ACCESS_FS_READ_FILE));
  CHECK_FALSE(grants(plan, work + "/secrets/key", LANDLOCK_ACCESS_FS_WRITE_FILE));
  CHECK(grants(plan, work + "/secrets/other", LANDLOCK_ACCESS_FS_WRITE_FILE));
  CHECK(grants(plan, work + "/src/new", LANDLOCK_ACCESS_FS_MAKE_REG));
  CHECK_FALSE(grants(plan, work + "/secrets/new", LANDLOCK_ACCESS_FS_MAKE_REG));
}

TEST_CASE("Landlock alone grants no disk, no terminal of the user and no write to /proc",
          "[sandbox]") {
  const test::TempDir root;
  const LandlockPlan plan = container_plan({}, root.path().string());
  CHECK(grants(plan, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE));
  CHECK(grants(plan, "/proc/self/status", LANDLOCK_ACCESS_FS_READ_FILE));
  CHECK_FALSE(grants(plan, "/proc/sys/kernel/core_pattern", LANDLOCK_ACCESS_FS_WRITE_FILE));
  for (const char* path : {"/dev/vda", "/dev/kvm", "/dev/pts/0", "/dev/fuse"})
    CHECK_FALSE(grants(plan, path, LANDLOCK_ACCESS_FS_READ_FILE));
}

}  // namespace
}  // namespace fathom::sandbox
