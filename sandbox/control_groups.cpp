#include "sandbox/control_groups.hpp"

#include "runtime/base/file.hpp"
#include "sandbox/maker_name.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <span>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kFileBytesMax = 1UL << 20;  // of any file read here
constexpr std::uint64_t kCpuPeriodUs = 100'000;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool lists(std::string_view list, std::string_view word) {
  for (const std::string_view entry : split(list, ','))
    if (entry == word) return true;
  return false;
}

// Our own group below a hierarchy's mount point. In a container the mount shows only a part of the
// hierarchy: `root` is cut from our path. "" when our group is not in that part, or outside of the
// group namespace ("/../x").
std::string group_folder(std::string_view mount_point, std::string_view root,
                         std::string_view path) {
  if (path.starts_with("/..")) return "";
  if (root != "/") {
    if (!path.starts_with(root)) return "";
    path.remove_prefix(root.size());
    if (!path.empty() && path.front() != '/') return "";
  }
  std::string folder(mount_point);
  if (!path.empty() && path != "/") folder += path;
  return folder;
}

// The path of our group in the hierarchy with `controller`; "" stands for the unified one.
std::string_view own_path(std::string_view groups, std::string_view controller) {
  for (const std::string_view line : split(groups, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : lists(controllers, controller))
      return line.substr(second + 1);
  }
  return {};
}

bool write_value(const std::string& path, const std::string& value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

bool make_group(const std::string& folder) { return ::mkdir(folder.c_str(), 0755) == 0; }

std::string cpu_quota(const policies::Limits& limits) {
  return std::to_string(limits.cpu_percent * kCpuPeriodUs / 100);
}

// "oom_kill 3" among other lines.
std::uint64_t counter(const std::string& path, std::string_view name) {
  const auto text = read_file(path, kFileBytesMax);
  if (!text) return 0;
  for (const std::string_view line : split(*text, '\n')) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') continue;
    std::uint64_t value = 0;
    std::from_chars(line.data() + name.size() + 1, line.data() + line.size(), value);
    return value;
  }
  return 0;
}

std::string parent_of(const std::string& folder) {
  return folder.substr(0, folder.find_last_of('/'));
}

void sweep(const std::string& parent) {
  if (parent.empty()) return;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(parent, ignored))
    if (is_left_behind(entry.path())) ::rmdir(entry.path().c_str());
}

}  // namespace

GroupParents find_group_parents(const std::string& mounts, const std::string& groups) {
  GroupParents parents;
  for (const std::string_view line : split(mounts, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto before = split(line.substr(0, dash), ' ');
    const auto after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    const std::string_view root = before[3];
    const std::string_view point = before[4];
    if (after[0] == "cgroup2") {
      // A group with processes cannot hand controllers down, so ours stand beside our own group;
      // only the root of the hierarchy may do both.
      const std::string own = group_folder(point, root, own_path(groups, ""));
      parents.unified = own.empty() || own == point ? own : parent_of(own);
    }
    if (after[0] != "cgroup") continue;
    if (lists(after[2], "memory"))
      parents.memory = group_folder(point, root, own_path(groups, "memory"));
    if (lists(after[2], "pids")) parents.pids = group_folder(point, root, own_path(groups, "pids"));
    if (lists(after[2], "cpu")) parents.cpu = group_folder(point, root, own_path(groups, "cpu"));
  }
  return parents;
}

GroupParents find_group_parents() {
  const auto mounts = read_file("/proc/self/mountinfo", kFileBytesMax);
  const auto groups = read_file("/proc/self/cgroup", kFileBytesMax);
  if (!mounts || !groups) return {};
  return find_group_parents(*mounts, *groups);
}

void ControlGroups::make_unified(const std::string& folder, const policies::Limits& limits) {
  // What nobody has asked for yet is off below a folder. Each on its own: one that is not there or
  // not ours to switch on takes the others with it. Where systemd has switched them on already this
  // changes nothing.
  for (const char* controller : {"+memory", "+pids", "+cpu"})
    write_value(parent_of(folder) + "/cgroup.subtree_control", controller);
  if (!make_group(folder)) return;
  if (write_value(folder + "/memory.max", std::to_string(limits.memory_bytes))) {
    write_value(folder + "/memory.swap.max", "0");
    memory_ = LimitBy::cgroup_v2;
    memory_folder_ = folder;
  }
  if (write_value(folder + "/pids.max", std::to_string(limits.pids))) {
    pids_ = LimitBy::cgroup_v2;
    pids_folder_ = folder;
  }
  if (limits.cpu_percent != 0 &&
      write_value(folder + "/cpu.max", cpu_quota(limits) + " " + std::to_string(kCpuPeriodUs)))
    cpu_ = LimitBy::cgroup_v2;
  const auto is_held = [](LimitBy by) { return by == LimitBy::cgroup_v2; };
  if (!is_held(memory_) && !is_held(pids_) && !is_held(cpu_)) {
    ::rmdir(folder.c_str());
    return;
  }
  folders_.push_back(folder);
}

ControlGroups ControlGroups::create(const GroupParents& parents, const policies::Limits& limits,
                                    const std::string& name, GroupLimits wanted) {
  ControlGroups made;
  made.cpu_ = limits.cpu_percent == 0 ? LimitBy::unlimited : LimitBy::nothing;
  const std::string bytes = std::to_string(limits.memory_bytes);
  const std::string count = std::to_string(limits.pids);
  if (!parents.unified.empty()) made.make_unified(parents.unified + "/" + name, limits);
  const auto make_v1 = [&](const std::string& parent, const char* file, const std::string& value) {
    const std::string folder = parent + "/" + name;
    if (parent.empty() || !make_group(folder)) return false;
    if (!write_value(folder + file, value)) return ::rmdir(folder.c_str()), false;
    made.folders_.push_back(folder);
    return true;
  };
  if (made.memory_ == LimitBy::polling &&
      make_v1(parents.memory, "/memory.limit_in_bytes", bytes)) {
    made.memory_ = LimitBy::cgroup_v1;
    made.memory_folder_ = made.folders_.back();
    write_value(made.memory_folder_ + "/memory.memsw.limit_in_bytes", bytes);
  }
  if (wanted == GroupLimits::memory_and_pids && made.pids_ == LimitBy::nothing &&
      make_v1(parents.pids, "/pids.max", count)) {
    made.pids_ = LimitBy::cgroup_v1;
    made.pids_folder_ = made.folders_.back();
  }
  if (made.cpu_ == LimitBy::nothing && make_v1(parents.cpu, "/cpu.cfs_quota_us", cpu_quota(limits)))
    made.cpu_ = LimitBy::cgroup_v1;
  for (const std::string& folder : made.folders_)
    if (auto held = hold_folder(folder)) made.held_.push_back(*std::move(held));
  return made;
}

GroupCounts ControlGroups::counts() const {
  GroupCounts counts;
  if (memory_ == LimitBy::cgroup_v2)
    counts.memory_kills = counter(memory_folder_ + "/memory.events", "oom_kill");
  if (memory_ == LimitBy::cgroup_v1)
    counts.memory_kills = counter(memory_folder_ + "/memory.oom_control", "oom_kill");
  if (!pids_folder_.empty()) counts.pids_refused = counter(pids_folder_ + "/pids.events", "max");
  return counts;
}

void ControlGroups::remove() {
  for (const std::string& folder : folders_) ::rmdir(folder.c_str());
  folders_.clear();
  held_.clear();
  memory_ = LimitBy::polling;
  pids_ = LimitBy::nothing;
  if (cpu_ != LimitBy::unlimited) cpu_ = LimitBy::nothing;
}

void sweep_stale_groups(const GroupParents& parents) {
  for (const std::string* parent : {&parents.unified, &parents.memory, &parents.pids, &parents.cpu})
    sweep(*parent);
}

}  // namespace fathom::sandbox
