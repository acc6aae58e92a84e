#include "sandbox/control_groups.hpp"

#include "sandbox/maker_name.hpp"
#include "sandbox/zygote/proc_stat.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
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
      ControlGroups::create(parents, limits, new_maker_name(), GroupLimits::memory_and_pids);
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

constexpr int kNotJoined = 100;
constexpr std::size_t kForksMax = 50;  // where nothing refuses

// How a child ends that has joined `folder` and then does `act`.
template <class Act>
int in_group(const std::string& folder, Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int procs = ::open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
    if (::write(procs, "0", 1) != 1) ::_exit(kNotJoined);
    ::_exit(act());
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// Forks until it is refused; how many processes there were at once, ours among them.
int processes_until_refused() {
  std::vector<pid_t> made;
  while (made.size() < kForksMax) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    if (child < 0) break;
    made.push_back(child);
  }
  for (const pid_t child : made) ::kill(child, SIGKILL);
  for (const pid_t child : made) ::waitpid(child, nullptr, 0);
  return static_cast<int>(made.size()) + 1;
}

TEST_CASE("a real unified hierarchy takes the limits, enforces them and is left as it was",
          "[sandbox]") {
  const GroupParents found = find_group_parents();
  policies::Limits limits;
  limits.memory_bytes = 64 << 20;
  limits.pids = 9;
  limits.cpu_percent = 150;
  ControlGroups groups = ControlGroups::create({found.unified, "", "", ""}, limits,
                                               new_maker_name(), GroupLimits::memory_and_pids);
  if (groups.memory() != LimitBy::cgroup_v2 || groups.pids() != LimitBy::cgroup_v2)
    return groups.remove(),
           test::skip("no cgroup v2 with controllers of ours here: its limits were not tried");
  REQUIRE(groups.folders().size() == 1);
  const std::string folder = groups.folders().front();
  CHECK(test::slurp(folder + "/memory.max") == std::to_string(64 << 20) + "\n");
  CHECK(test::slurp(folder + "/pids.max") == "9\n");
  if (std::filesystem::exists(folder + "/cpu.max"))
    CHECK(test::slurp(folder + "/cpu.max") == "150000 100000\n");

  CHECK(in_group(folder, processes_until_refused) == 9);
  CHECK(groups.counts().pids_refused > 0);
  CHECK(in_group(folder, [&] {
          std::vector<char> much(2 * limits.memory_bytes, 'x');
          return much.back() == 'x' ? 0 : 1;
        }) == -SIGKILL);
  CHECK(groups.counts().memory_kills == 1);
  groups.remove();
  CHECK_FALSE(std::filesystem::exists(folder));
}

TEST_CASE("processes are left to others where only memory is wanted", "[sandbox]") {
  GroupParents parents = find_group_parents();
  parents.unified.clear();
  ControlGroups groups = ControlGroups::create(parents, {}, new_maker_name(), GroupLimits::memory);
  CHECK(groups.pids() == LimitBy::nothing);
  CHECK(groups.folders().size() <= 1);
  groups.remove();
}

// Process namespace and boot, as they stand in a name of ours.
std::string place_of(const std::string& name) {
  std::size_t start = 0;
  for (int dashes = 0; dashes < 3; ++dashes) start = name.find('-', start) + 1;
  return name.substr(start, name.rfind('-') - start);
}

TEST_CASE("a folder of another process namespace or boot is swept when its lock is free only") {
  const Hierarchy hierarchy;
  const std::string here = place_of(new_maker_name());
  const std::string boot = here.substr(here.find('-') + 1);
  const std::string name_space = here.substr(0, here.find('-'));
  // No process has these numbers here: by them alone the folders would count as left behind.
  const std::vector<std::string> foreign = {"fathom-999999999-1-1-" + boot + "-0",
                                            "fathom-999999999-1-" + name_space + "-00000000-0"};
  std::vector<UniqueFd> held;
  for (const std::string& name : foreign) {
    std::filesystem::create_directory(hierarchy.dir / name);
    auto lock = hold_folder(hierarchy.dir / name);
    REQUIRE(lock);
    held.push_back(*std::move(lock));
  }
  sweep_stale_groups({hierarchy.path(), "", "", ""});
  for (const std::string& name : foreign) CHECK(std::filesystem::exists(hierarchy.dir / name));
  held.clear();
  sweep_stale_groups({hierarchy.path(), "", "", ""});
  for (const std::string& name : foreign)
    CHECK_FALSE(std::filesystem::exists(hierarchy.dir / name));
}

TEST_CASE("a process's parent is read behind whatever it calls itself") {
  const auto parent = [](std::string_view stat) {
    return zygote::parent_in_stat(stat.data(), stat.size());
  };
  CHECK(parent("12 (sh) S 34 12 12 0") == 34);
  CHECK(parent("12 (a) S 1 (b) R 5) S 34 12") == 34);
  CHECK(parent("12 (sh) S") == 0);
  CHECK(parent("12 (sh)") == 0);
  CHECK(parent("") == 0);
  CHECK(parent("nothing") == 0);
  const std::string own = test::slurp("/proc/self/stat");
  CHECK(parent(own) == ::getppid());
}

TEST_CASE("a sweep removes the groups of makers that are gone, and no others") {
  const Hierarchy hierarchy;
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  REQUIRE(::waitpid(gone, nullptr, 0) == gone);
  const std::string mine = new_maker_name();
  const std::string pid = std::to_string(::getpid());
  const std::string here = place_of(mine);
  const std::vector<std::string> stale = {"fathom-" + std::to_string(gone) + "-123-" + here + "-0",
                                          "fathom-" + pid + "-1-" + here + "-0"};
  const std::vector<std::string> kept = {
      mine, "fathom-", "fathom-x", "other-1-2-3-4-5", "fathom--", "fathom-1-1-1-1-1-1"};
  for (const auto& names : {stale, kept})
    for (const std::string& name : names) std::filesystem::create_directory(hierarchy.dir / name);
  sweep_stale_groups({"", "", hierarchy.path(), ""});
  for (const std::string& name : stale) CHECK_FALSE(std::filesystem::exists(hierarchy.dir / name));
  for (const std::string& name : kept) CHECK(std::filesystem::exists(hierarchy.dir / name));
}

TEST_CASE("a sweep leaves a folder that is not empty, and folders that are not there alone") {
  const Hierarchy hierarchy;
  hierarchy.dir.write("fathom-999999999-1-1-1-0/cgroup.procs", "");
  sweep_stale_groups({hierarchy.path(), "/nowhere/at-all", "", ""});
  CHECK(std::filesystem::exists(hierarchy.dir / "fathom-999999999-1-1-1-0/cgroup.procs"));
}

TEST_CASE("names of groups of one process differ") { CHECK(new_maker_name() != new_maker_name()); }

}  // namespace
}  // namespace fathom::sandbox
