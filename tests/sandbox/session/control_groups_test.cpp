#include "sandbox/control_groups.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace fathom::sandbox {
namespace {

TEST_CASE("under v2 a group stands beside our own, and in the root below it") {
  const std::string mounts =
      "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
  CHECK(find_group_parents(mounts, "0::/user.slice/a.scope\n").unified ==
        "/sys/fs/cgroup/user.slice");
  CHECK(find_group_parents(mounts, "0::/a.scope\n").unified == "/sys/fs/cgroup");
  CHECK(find_group_parents(mounts, "0::/\n").unified == "/sys/fs/cgroup");
  CHECK(find_group_parents(mounts, "0::/a\n").memory.empty());
}

TEST_CASE("under v1 each controller has its own folder") {
  const std::string mounts =
      "31 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "32 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "33 30 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
  const auto parents = find_group_parents(mounts, "4:memory:/a/b\n3:cpu,cpuacct:/c\n2:pids:/\n");
  CHECK(parents.memory == "/sys/fs/cgroup/memory/a/b");
  CHECK(parents.cpu == "/sys/fs/cgroup/cpu,cpuacct/c");
  CHECK(parents.pids == "/sys/fs/cgroup/pids");
  CHECK(parents.unified.empty());
}

TEST_CASE("a hybrid machine has both") {
  const auto parents = find_group_parents(
      "31 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "40 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
      "4:memory:/a\n0::/u/v\n");
  CHECK(parents.memory == "/sys/fs/cgroup/memory/a");
  CHECK(parents.unified == "/sys/fs/cgroup/unified/u");
}

TEST_CASE("a container's mount shows a part of the hierarchy, and its root is cut off") {
  const std::string mounts =
      "31 30 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
  CHECK(find_group_parents(mounts, "4:memory:/docker/abc\n").memory == "/sys/fs/cgroup/memory");
  CHECK(find_group_parents(mounts, "4:memory:/docker/abc/x\n").memory == "/sys/fs/cgroup/memory/x");
  // A neighbour whose name only begins alike, and groups outside of what is shown.
  CHECK(find_group_parents(mounts, "4:memory:/docker/abcdef\n").memory.empty());
  CHECK(find_group_parents(mounts, "4:memory:/other\n").memory.empty());
  const std::string unified = "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  CHECK(find_group_parents(unified, "0::/../other\n").unified.empty());
}

TEST_CASE("texts that are no tables find nothing") {
  for (const char* text : {"", "\n\n", " - cgroup2", "1 2 3 - cgroup2 x", "a b c d e - cgroup x"}) {
    const auto parents = find_group_parents(text, text);
    CHECK(parents.unified.empty());
    CHECK(parents.memory.empty());
  }
}

// A folder in which every new folder has the files of a group, as a hierarchy has: here the files
// must be there before, so the group is made first.
struct Hierarchy {
  test::TempDir dir;
  [[nodiscard]] std::string path() const { return dir.path().string(); }
};

TEST_CASE("where a group has no files nothing is made and nothing left") {
  const Hierarchy plain;
  ControlGroups groups = ControlGroups::create({plain.path(), plain.path(), plain.path(), ""}, {},
                                               "fathom-x", GroupLimits::memory_and_pids);
  CHECK(groups.folders().empty());
  CHECK(groups.memory() == LimitBy::polling);
  CHECK(groups.pids() == LimitBy::nothing);
  CHECK(std::filesystem::is_empty(plain.dir.path()));
  CHECK(groups.counts().memory_kills == 0);
}

TEST_CASE("a real hierarchy takes the limits and gives its folders back", "[sandbox]") {
  GroupParents parents = find_group_parents();
  parents.unified.clear();
  policies::Limits limits;
  limits.memory_bytes = 123 << 20;
  limits.pids = 77;
  limits.cpu_percent = 150;
  ControlGroups groups =
      ControlGroups::create(parents, limits, new_group_name(), GroupLimits::memory_and_pids);
  if (groups.memory() != LimitBy::cgroup_v1 || groups.pids() != LimitBy::cgroup_v1)
    return groups.remove(),
           test::skip("no writable v1 groups here: their limits were not read back");
  std::string memory;
  std::string pids;
  for (const std::string& folder : groups.folders()) {
    if (std::filesystem::exists(folder + "/memory.limit_in_bytes"))
      memory = test::slurp(folder + "/memory.limit_in_bytes");
    if (std::filesystem::exists(folder + "/pids.max")) pids = test::slurp(folder + "/pids.max");
  }
  CHECK(memory == std::to_string(123 << 20) + "\n");
  CHECK(pids == "77\n");
  CHECK(groups.counts().memory_kills == 0);
  const std::vector<std::string> folders = groups.folders();
  groups.remove();
  for (const std::string& folder : folders) CHECK_FALSE(std::filesystem::exists(folder));
  CHECK(groups.memory() == LimitBy::polling);
}

TEST_CASE("processes are left to others where only memory is wanted", "[sandbox]") {
  GroupParents parents = find_group_parents();
  parents.unified.clear();
  ControlGroups groups = ControlGroups::create(parents, {}, new_group_name(), GroupLimits::memory);
  CHECK(groups.pids() == LimitBy::nothing);
  CHECK(groups.folders().size() <= 1);
  groups.remove();
}

TEST_CASE("a sweep removes the groups of makers that are gone, and no others") {
  const Hierarchy hierarchy;
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  REQUIRE(::waitpid(gone, nullptr, 0) == gone);
  const std::string mine = new_group_name();
  const std::string pid = std::to_string(::getpid());
  const std::vector<std::string> stale = {"fathom-" + std::to_string(gone) + "-123-0",
                                          "fathom-" + pid + "-1-0"};
  const std::vector<std::string> kept = {mine, "fathom-", "fathom-x", "other-1-2-3", "fathom--"};
  for (const auto& names : {stale, kept})
    for (const std::string& name : names) std::filesystem::create_directory(hierarchy.dir / name);
  sweep_stale_groups({"", "", hierarchy.path(), ""});
  for (const std::string& name : stale) CHECK_FALSE(std::filesystem::exists(hierarchy.dir / name));
  for (const std::string& name : kept) CHECK(std::filesystem::exists(hierarchy.dir / name));
}

TEST_CASE("a sweep leaves a folder that is not empty, and folders that are not there alone") {
  const Hierarchy hierarchy;
  hierarchy.dir.write("fathom-999999999-1-0/cgroup.procs", "");
  sweep_stale_groups({hierarchy.path(), "/nowhere/at-all", "", ""});
  CHECK(std::filesystem::exists(hierarchy.dir / "fathom-999999999-1-0/cgroup.procs"));
}

TEST_CASE("names of groups of one process differ") { CHECK(new_group_name() != new_group_name()); }

}  // namespace
}  // namespace fathom::sandbox
