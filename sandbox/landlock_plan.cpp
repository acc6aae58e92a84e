#include "sandbox/landlock_plan.hpp"

#include "policies/path_rules.hpp"

#include <dirent.h>
#include <linux/landlock.h>

#include <algorithm>
#include <array>
#include <memory>

namespace fathom::sandbox {
namespace {

// Rights by the ABI that brought them (linux/landlock.h of Debian 12 ends at ABI 4).
constexpr std::uint64_t kTruncate = 1ULL << 14;  // ABI 3
constexpr std::uint64_t kIoctlDev = 1ULL << 15;  // ABI 5
constexpr std::uint64_t kBindTcp = 1ULL << 0;
constexpr std::uint64_t kConnectTcp = 1ULL << 1;
constexpr std::uint64_t kScopeAbstractUnix = 1ULL << 0;
constexpr std::uint64_t kScopeSignal = 1ULL << 1;

constexpr std::uint64_t kRead =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kNodes = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;

constexpr std::size_t kSiblingsMax = 4096;  // names listed beside a hidden path

// Disks can be read whole there, and the terminals below /dev/pts are those that the user types
// into: without a /dev of its own a command gets the devices of this list and no others.
constexpr std::string_view kDevices = "/dev";
constexpr std::initializer_list<const char*> kDevicesShown = {
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"};

std::vector<std::string> names_in(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), &::closedir);
  std::vector<std::string> names;
  if (!dir) return names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    // A link grants nothing by itself; where it leads is granted under its own name or not at all.
    const bool wanted = name != "." && name != ".." && entry->d_type != DT_LNK;
    if (wanted && names.size() < kSiblingsMax) names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

// Landlock only adds rights. What is hidden is left out by naming everything beside it: the
// siblings of each folder on the way to it. Names made later beside a hidden path are not readable,
// and beside one in a writable folder none can be made: the safe side.
class Grants {
 public:
  Grants(const std::vector<ViewEntry>& entries, LandlockPlan& plan)
      : entries_(entries), plan_(plan) {}

  void add(const std::string& folder, std::uint64_t access) {
    if (!hides_below(folder)) {
      plan_.paths.emplace_back(folder, access);
      return;
    }
    for (const std::string& name : names_in(folder)) {
      const std::string path = (folder == "/" ? "" : folder) + "/" + name;
      if (!is_hidden(path)) add(path, access);
    }
  }

 private:
  [[nodiscard]] static bool hides(const ViewEntry& entry) {
    return entry.show == Show::hidden ||
           (entry.show == Show::private_folder && entry.name == "home");
  }
  [[nodiscard]] bool hides_below(const std::string& folder) const {
    return policies::is_at_or_below(kDevices, folder) ||
           std::ranges::any_of(entries_, [&](const ViewEntry& entry) {
             return hides(entry) && policies::is_at_or_below(entry.path, folder);
           });
  }
  [[nodiscard]] bool is_hidden(const std::string& path) const {
    return path == kDevices || std::ranges::any_of(entries_, [&](const ViewEntry& entry) {
             return hides(entry) && entry.path == path;
           });
  }

  const std::vector<ViewEntry>& entries_;
  LandlockPlan& plan_;
};

}  // namespace

std::uint64_t landlock_fs_access(int abi) {
  if (abi <= 0) return 0;
  std::uint64_t access = LANDLOCK_ACCESS_FS_REFER - 1;  // the thirteen rights of ABI 1
  if (abi >= 2) access |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) access |= kTruncate;
  if (abi >= 5) access |= kIoctlDev;
  return access;
}

LandlockPlan landlock_plan(const CompileInput& input, const std::vector<ViewEntry>& entries) {
  LandlockPlan plan;
  const int abi = input.host.landlock_abi;
  if (abi <= 0) return plan;
  plan.handled_fs = landlock_fs_access(abi);
  const std::uint64_t write = plan.handled_fs & ~kNodes;
  const bool container = !has_namespaces(input.rung);
  if (abi >= kLandlockScopeAbi)
    plan.scoped = kScopeSignal | (input.rung != Rung::full ? kScopeAbstractUnix : 0);
  if (container && abi >= kLandlockTcpAbi) plan.handled_network = kBindTcp | kConnectTcp;

  Grants grants(entries, plan);
  if (container) {
    grants.add("/", kRead);
  } else {
    plan.paths.emplace_back("/", kRead);
  }
  for (const ViewEntry& entry : entries) {
    if (!container && (entry.show == Show::write || entry.show == Show::private_folder))
      plan.paths.emplace_back(entry.path, write);
    else if (container && (entry.show == Show::write || entry.show == Show::read))
      grants.add(entry.path, entry.show == Show::write ? write : kRead);
  }
  constexpr std::uint64_t kUse = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kIoctlDev;
  if (container) {
    for (const char* device : kDevicesShown) plan.paths.emplace_back(device, kUse);
  } else {
    plan.paths.emplace_back("/dev", kUse);
    plan.paths.emplace_back("/dev/shm", write);
  }
  // No rule lets anything below /proc be written: root's own id, which a container may keep, would
  // reach /proc/sys/kernel/core_pattern with it, and through that run programs outside. A rule
  // could not tell a process's own files from those anyway.
  return plan;
}

}  // namespace fathom::sandbox
