// Landlock's rights by ABI and rung.
#include "sandbox/landlock_plan.hpp"
#include "tests/support/catch.hpp"

#include <linux/landlock.h>

#include <algorithm>
#include <array>

namespace fathom::sandbox {
namespace {

constexpr std::uint64_t kTruncate = 1ULL << 14;
constexpr std::uint64_t kIoctlDev = 1ULL << 15;

LandlockPlan plan_at(int abi, Rung rung) {
  const policies::Policy policy;
  HostFacts host;
  host.uid = 1000;
  host.landlock_abi = abi;
  const Workspace workspace{"/srv/work", 1000, 1000};
  CompileInput input{policy, host, workspace};
  input.rung = rung;
  return landlock_plan(input, {{"/srv/work", Show::write, PathType::folder, ""},
                               {"/tmp", Show::private_folder, PathType::folder, "tmp"}});
}

std::uint64_t access_at(const LandlockPlan& plan, std::string_view path) {
  const auto at =
      std::ranges::find_if(plan.paths, [&](const auto& rule) { return rule.first == path; });
  return at == plan.paths.end() ? 0 : at->second;
}

TEST_CASE("every ABI handles the rights that it brought and those before it") {
  constexpr std::array<std::uint64_t, 8> kHandled = {0,      0x1fff, 0x3fff, 0x7fff,
                                                     0x7fff, 0xffff, 0xffff, 0xffff};
  for (int abi = 0; abi <= 7; ++abi)
    for (const Rung rung :
         {Rung::full, Rung::no_network_ns, Rung::container, Rung::container_old}) {
      const LandlockPlan plan = plan_at(abi, rung);
      INFO("ABI " << abi << " " << name_of(rung));
      CHECK(plan.handled_fs == kHandled.at(static_cast<std::size_t>(abi)));
      const bool container = rung == Rung::container || rung == Rung::container_old;
      CHECK(plan.handled_network == (container && abi >= 4 ? 3U : 0U));
      const std::uint64_t scopes = rung == Rung::full ? 2 : 3;
      CHECK(plan.scoped == (abi >= 6 ? scopes : 0U));
      CHECK(plan.ports.empty());
      for (const auto& [path, access] : plan.paths) {
        const bool device = path.starts_with("/dev");
        if (!device) CHECK((access & ~plan.handled_fs) == 0);
        CHECK((access & (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)) == 0);
      }
    }
}

TEST_CASE("the workspace is written, the rest read, and without mounts /tmp is not written") {
  const LandlockPlan full = plan_at(7, Rung::full);
  const std::uint64_t write = LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kIoctlDev |
                              LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_MAKE_REG;
  CHECK((access_at(full, "/srv/work") & write) == write);
  CHECK((access_at(full, "/tmp") & write) == write);
  CHECK((access_at(full, "/") & write) == 0);
  CHECK(access_at(full, "/") != 0);
  const LandlockPlan container = plan_at(7, Rung::container);
  CHECK((access_at(container, "/srv/work") & write) == write);
  CHECK((access_at(container, "/tmp") & write) == 0);
  CHECK(access_at(container, "/") == 0);  // /dev is left out, so the root is granted by its parts
}

TEST_CASE("without Landlock there is no rule") {
  const LandlockPlan plan = plan_at(0, Rung::full);
  CHECK(plan.paths.empty());
  CHECK(plan.scoped == 0);
}

}  // namespace
}  // namespace fathom::sandbox
