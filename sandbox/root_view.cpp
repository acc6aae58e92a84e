#include "sandbox/root_view.hpp"

#include "policies/path_rules.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/host_sockets.hpp"

#include <linux/mount.h>

#include <algorithm>
#include <array>

namespace fathom::sandbox {
namespace {

constexpr std::uint32_t kScratchSlot = wire::kSlotsMax - 1;  // held for one step only
constexpr std::size_t kHeldMax = wire::kSlotsMax - 16;
constexpr std::uint64_t kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t kReadOnly = kPlain | MOUNT_ATTR_RDONLY;
constexpr std::array<const char*, 6> kDevices = {"null",   "zero",    "full",
                                                 "random", "urandom", "tty"};

// Readable for root's own id, which is all that stands between it and them where ids cannot be
// mapped.
constexpr std::array<const char*, 8> kRootOnlyPaths = {
    "/etc/shadow",   "/etc/gshadow",    "/etc/sudoers", "/etc/ssl/private",
    "/sys/firmware", "/var/lib/docker", "/boot",        "/var/log"};

// Name look-ups of a session end at the listener on its own loopback, or nowhere.
constexpr const char* kResolverText = "nameserver 127.0.0.53\noptions timeout:2 attempts:1\n";

std::uint64_t inodes_for(std::uint64_t bytes) {
  return std::max<std::uint64_t>(bytes / 4096, 1024);
}

// Nothing of the host is left below: what is shown there needs a place made for it, and what is
// hidden there is absent already.
bool starts_empty(const ViewEntry& entry) {
  return entry.show == Show::private_folder || entry.show == Show::hidden;
}

// By entry: the nearest entry around it that is mounted, or null. `absent` entries are not.
struct Surroundings {
  std::vector<const ViewEntry*> around;
  std::vector<bool> absent;

  explicit Surroundings(const std::vector<ViewEntry>& entries)
      : around(entries.size(), nullptr), absent(entries.size(), false) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      for (std::size_t j = i; j-- > 0 && around[i] == nullptr;)
        if (!absent[j] && policies::is_at_or_below(entries[i].path, entries[j].path))
          around[i] = &entries[j];
      absent[i] =
          entries[i].show == Show::hidden && around[i] != nullptr && starts_empty(*around[i]);
    }
  }
};

class Builder {
 public:
  Builder(const CompileInput& input, const std::vector<ViewEntry>& entries)
      : input_(input),
        entries_(entries),
        surroundings_(entries),
        slots_(entries.size(), kScratchSlot) {}

  Result<RootView> build() {
    TRY(hold_trees());
    hold_devices();
    out_.mounts.restrict_all("/", kReadOnly);
    make_private_folders();
    make_overlays();
    out_.mounts.mkdirs("/dev/run/user/" + std::to_string(input_.host.uid), 0700);
    out_.mounts.sysfs("/sys");  // before the covers of what is hidden in it
    for (std::size_t i = 0; i < entries_.size(); ++i) show(i);
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (holds_places(i)) out_.mounts.restrict_one(entries_[i].path, kReadOnly);
    show_resolver();
    pin();
    make_devices();
    return std::move(out_);
  }

 private:
  [[nodiscard]] const OverlayPlan* overlay_of(const ViewEntry& entry) const {
    for (const OverlayPlan& overlay : input_.overlays)
      if (overlay.path == entry.path) return &overlay;
    return nullptr;
  }

  // A hidden folder in which something is shown: the cover is a folder of its own then, and
  // read-only when everything stands in it.
  [[nodiscard]] bool holds_places(std::size_t index) const {
    if (entries_[index].show != Show::hidden || surroundings_.absent[index]) return false;
    for (std::size_t i = index + 1; i < entries_.size(); ++i)
      if (surroundings_.around[i] == &entries_[index] && !surroundings_.absent[i]) return true;
    return false;
  }

  // Whether the entry must be mounted: it differs from what its parent already shows.
  [[nodiscard]] bool needs_mount(std::size_t index) const {
    const ViewEntry& entry = entries_[index];
    if (entry.show == Show::hidden || entry.show == Show::private_folder) return false;
    const ViewEntry* parent = surroundings_.around[index];
    const Show around = parent != nullptr ? parent->show : Show::read;
    return entry.show != around || overlay_of(entry) != nullptr;
  }

  Result<std::uint32_t> new_slot() {
    if (next_slot_ >= kHeldMax)
      return fail(ErrorCode::too_large, "policy: more than " + std::to_string(kHeldMax) +
                                            " paths are granted: grant a folder that holds them");
    return next_slot_++;
  }

  // A copy of a tree as it is now, before the root becomes read-only. Under an id of its own the
  // session may not even be able to walk to it: then the zygote makes the copy.
  // The same goes for a folder of root's state when the session is the workspace's owner.
  enum class Held : std::uint8_t { tree, state };
  Result<std::uint32_t> hold(const std::string& path, Held what = Held::tree) {
    const std::uint32_t slot = TRY(new_slot());
    const RootMode mode = input_.root_mode;
    const bool given =
        mode == RootMode::idmapped || (mode == RootMode::workspace && what == Held::state);
    if (input_.host.uid == 0 && given) {
      out_.mounts.given(slot, static_cast<std::uint32_t>(out_.idmapped.size()));
      out_.idmapped.push_back(path);
    } else {
      out_.mounts.clone(slot, path);
    }
    return slot;
  }

  Result<> hold_trees() {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (!needs_mount(i)) continue;
      const OverlayPlan* overlay = overlay_of(entries_[i]);
      if (overlay == nullptr || overlay->has_lower) slots_[i] = TRY(hold(entries_[i].path));
      if (overlay != nullptr && !overlay->folder.empty())
        changes_.emplace_back(i, TRY(hold(overlay->folder, Held::state)));
    }
    return {};
  }

  void hold_devices() {
    first_device_ = next_slot_;
    for (const char* device : kDevices) {
      out_.mounts.clone(next_slot_, std::string("/dev/") + device, wire::kCloneOptional);
      // The nodes are the host's: their modes and owners stay, whoever owns them. What is written
      // to a device needs no writable mount.
      out_.mounts.restrict_slot(next_slot_++,
                                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
    }
  }

  // One tmpfs, so that one size bounds them all. It stands on /dev until the devices come on top.
  void make_private_folders() {
    const std::uint64_t bytes = input_.policy.limits.tmp_bytes;
    out_.mounts.tmpfs("/dev", "size=" + std::to_string(bytes) +
                                  ",nr_inodes=" + std::to_string(inodes_for(bytes)) + ",mode=755");
    out_.mounts.mkdirs("/dev/empty", 0555);
    out_.mounts.file("/dev/nothing", "", 0444);
    out_.mounts.mkdirs("/dev/shm", 01777);
    out_.mounts.file("/dev/resolv.conf", kResolverText, 0444);
    for (const ViewEntry& entry : entries_)
      if (entry.show == Show::private_folder)
        out_.mounts.mkdirs("/dev/" + entry.name, entry.name == "home"  ? 0700U
                                                 : entry.name == "run" ? 0755U
                                                                       : 01777U);
  }

  // Overlays are put together in the tmpfs on /dev and take the slots of what they stand on.
  void make_overlays() {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const OverlayPlan* overlay = overlay_of(entries_[i]);
      if (overlay == nullptr) continue;
      const std::string place = "/dev/overlay" + std::to_string(i);
      const std::string changes = place + "/changes";
      out_.mounts.mkdirs(changes, 0755);
      const auto held =
          std::ranges::find(changes_, i, &std::pair<std::size_t, std::uint32_t>::first);
      if (held != changes_.end()) {
        out_.mounts.attach(held->second, changes);
      } else {
        out_.mounts.mkdirs(changes + "/upper", 0755);
        out_.mounts.mkdirs(changes + "/work", 0755);
      }
      if (!overlay->has_lower) {
        slots_[i] = next_slot_++;
        out_.mounts.clone(slots_[i], changes + "/upper");
        continue;
      }
      out_.mounts.mkdirs(place + "/lower", 0755);
      out_.mounts.mkdirs(place + "/merged", 0755);
      out_.mounts.restrict_slot(slots_[i], kReadOnly);
      out_.mounts.attach(slots_[i], place + "/lower");
      out_.mounts.overlay(place + "/merged", "lowerdir=" + place + "/lower,upperdir=" + changes +
                                                 "/upper,workdir=" + changes + "/work,userxattr");
      out_.mounts.clone(slots_[i], place + "/merged");
    }
  }

  void show(std::size_t index) {
    const ViewEntry& entry = entries_[index];
    std::uint32_t slot = kScratchSlot;
    if (surroundings_.absent[index]) return;
    // A socket comes and goes with its server.
    if (entry.show == Show::hidden && entry.type == PathType::other)
      return out_.mounts.cover(entry.path);
    if (entry.show == Show::private_folder) {
      out_.mounts.clone(slot, "/dev/" + entry.name);
    } else if (holds_places(index)) {
      const std::string cover = "/dev/cover-" + std::to_string(index);
      out_.mounts.mkdirs(cover, 0755);
      out_.mounts.clone(slot, cover);
    } else if (entry.show == Show::hidden) {
      out_.mounts.clone(slot, entry.type == PathType::folder ? "/dev/empty" : "/dev/nothing");
      out_.mounts.restrict_slot(slot, kReadOnly);
    } else if (needs_mount(index)) {
      slot = slots_[index];
      out_.mounts.restrict_slot(slot, entry.show == Show::write ? kPlain : kReadOnly);
    } else {
      return;
    }
    make_place(index);
    out_.mounts.attach(slot, entry.path);
  }

  // A mount point in a folder that starts empty.
  void make_place(std::size_t index) {
    const ViewEntry& entry = entries_[index];
    const ViewEntry* parent = surroundings_.around[index];
    if (parent == nullptr || !starts_empty(*parent)) return;
    if (entry.type == PathType::folder) {
      out_.mounts.mkdirs(entry.path, 0755);
    } else {
      const std::string folder = entry.path.substr(0, entry.path.find_last_of('/'));
      if (folder != parent->path) out_.mounts.mkdirs(folder, 0755);
      out_.mounts.file(entry.path, "", 0644);
    }
  }

  void make_devices() {
    const std::uint32_t shm = kScratchSlot;
    out_.mounts.clone(shm, "/dev/shm");
    out_.mounts.tmpfs("/dev", "size=64k,nr_inodes=64,mode=755");
    for (std::size_t i = 0; i < kDevices.size(); ++i) {
      const std::string path = std::string("/dev/") + kDevices.at(i);
      out_.mounts.file(path, "", 0666);
      out_.mounts.attach(first_device_ + static_cast<std::uint32_t>(i), path);
    }
    out_.mounts.mkdirs("/dev/shm", 01777);
    out_.mounts.attach(shm, "/dev/shm");
    out_.mounts.mkdirs("/dev/pts", 0755);
    out_.mounts.devpts("/dev/pts");
    out_.mounts.symlink("pts/ptmx", "/dev/ptmx");
    out_.mounts.symlink("/proc/self/fd", "/dev/fd");
    out_.mounts.symlink("/proc/self/fd/0", "/dev/stdin");
    out_.mounts.symlink("/proc/self/fd/1", "/dev/stdout");
    out_.mounts.symlink("/proc/self/fd/2", "/dev/stderr");
    // For what has to be hidden later on (MountOp::cover).
    out_.mounts.mkdirs("/dev/empty", 0555);
    out_.mounts.file("/dev/nothing", "", 0444);
    out_.mounts.restrict_one("/dev", MOUNT_ATTR_RDONLY);
  }

  void show_resolver() {
    const std::string& at = input_.host.resolv_conf;
    if (at.empty()) return;
    for (const ViewEntry& entry : entries_) {
      if (entry.show != Show::private_folder || !policies::is_at_or_below(at, entry.path)) continue;
      out_.mounts.mkdirs(at.substr(0, at.find_last_of('/')), 0755);
      out_.mounts.file(at, "", 0644);
    }
    out_.mounts.clone(kScratchSlot, "/dev/resolv.conf");
    out_.mounts.restrict_slot(kScratchSlot, kReadOnly);
    out_.mounts.attach(kScratchSlot, at);
  }

  void pin() {
    if (input_.mode == Mode::direct &&
        input_.policy.filesystem.workspace == policies::Access::write)
      add_pins(input_.pins, out_.mounts);
  }

  const CompileInput& input_;
  const std::vector<ViewEntry>& entries_;
  Surroundings surroundings_;
  std::vector<std::uint32_t> slots_;  // by entry
  std::uint32_t next_slot_ = 0;
  std::uint32_t first_device_ = 0;
  std::vector<std::pair<std::size_t, std::uint32_t>>
      changes_;  // entry, slot of its overlay's folder
  RootView out_;
};

Show show_of(policies::Access access) {
  switch (access) {
    case policies::Access::hidden:
      return Show::hidden;
    case policies::Access::read:
      return Show::read;
    case policies::Access::write:
      return Show::write;
  }
  return Show::hidden;
}

// Hidden beats read beats write where two entries name one path; a private folder beats hidden, as
// it hides too, and gives way to a grant.
int weight(Show show) {
  switch (show) {
    case Show::hidden:
      return 2;
    case Show::read:
      return 1;
    case Show::write:
      return 0;
    case Show::private_folder:
      return 3;
  }
  return 0;
}

void sort_once(std::vector<ViewEntry>& entries) {
  std::ranges::sort(entries, [](const ViewEntry& a, const ViewEntry& b) {
    return a.path != b.path ? a.path < b.path : weight(a.show) > weight(b.show);
  });
  const auto repeated = std::ranges::unique(
      entries, [](const ViewEntry& a, const ViewEntry& b) { return a.path == b.path; });
  entries.erase(repeated.begin(), repeated.end());
}

// A socket that the view shows for reading can be connected to all the same: only those that the
// policy lists stay, and those in what the session may write, which are its own affair.
Result<> hide_sockets(const CompileInput& input, const LookAtPath& look,
                      std::vector<ViewEntry>& entries) {
  std::vector<std::string> listed;
  for (const std::string& path : input.policy.network.unix_sockets)
    listed.push_back(look(path).path);
  std::vector<ViewEntry> hidden;
  for (const std::string& path : input.host_sockets) {
    HostPath at = look(path);
    if (at.type != PathType::other || std::ranges::find(listed, at.path) != listed.end()) continue;
    const ViewEntry* around = nullptr;
    for (const ViewEntry& entry : entries)  // sorted, so that the last one is the nearest
      if (policies::is_at_or_below(at.path, entry.path)) around = &entry;
    if (around == nullptr || around->show == Show::read)
      hidden.push_back({std::move(at.path), Show::hidden, at.type, ""});
  }
  if (hidden.size() > kHostSocketsMax)
    return fail(ErrorCode::too_large, "sandbox: " + std::to_string(hidden.size()) +
                                          " of the host's sockets would be shown, such as " +
                                          to_printable(hidden.front().path) + "; at most " +
                                          std::to_string(kHostSocketsMax) +
                                          " can be covered: hide their folders");
  std::ranges::move(hidden, std::back_inserter(entries));
  return {};
}

// An overlay of something that is not there needs a mount point, which can be made in folders that
// start empty only: nothing is created in the user's tree.
void drop_placeless(const CompileInput& input, std::vector<ViewEntry>& entries) {
  for (const OverlayPlan& overlay : input.overlays) {
    if (overlay.has_lower) continue;
    const Surroundings surroundings(entries);
    const auto at = std::ranges::find(entries, overlay.path, &ViewEntry::path);
    if (at == entries.end()) continue;
    const ViewEntry* around = surroundings.around[static_cast<std::size_t>(at - entries.begin())];
    if (around == nullptr || !starts_empty(*around)) entries.erase(at);
  }
}

}  // namespace

std::vector<std::string> paths_to_hide(const CompileInput& input) {
  std::vector<std::string> paths;
  if (input.host.uid == 0 && input.root_mode == RootMode::unmapped)
    paths.assign(kRootOnlyPaths.begin(), kRootOnlyPaths.end());
  for (const policies::PathGrant& grant : input.policy.filesystem.grants)
    if (grant.access == policies::Access::hidden) paths.push_back(grant.path);
  return paths;
}

Result<std::vector<ViewEntry>> view_entries(const CompileInput& input, const LookAtPath& look) {
  std::vector<ViewEntry> entries;
  const auto add = [&](const std::string& path, Show show, std::string name) {
    HostPath at = look(path);
    if (at.type == PathType::missing) return false;
    entries.push_back({std::move(at.path), show, at.type, std::move(name)});
    return true;
  };
  add("/tmp", Show::private_folder, "tmp");
  add("/var/tmp", Show::private_folder, "var-tmp");
  add("/run", Show::private_folder, "run");
  // A home that may be read is shown too where the folder of all homes is hidden.
  const bool private_home = input.policy.filesystem.home == policies::Access::hidden;
  if (!input.host.home.empty())
    add(input.host.home, private_home ? Show::private_folder : Show::read, "home");
  if (input.host.uid == 0 && input.root_mode == RootMode::unmapped)
    for (const char* path : kRootOnlyPaths) add(path, Show::hidden, "");
  for (const policies::PathGrant& grant : input.policy.filesystem.grants) {
    const bool there = add(grant.path, show_of(grant.access), "");
    if (!there && grant.access == policies::Access::write)
      return fail(ErrorCode::not_found, "policy: " + grant.rule + ": " + grant.path +
                                            " does not exist: create it or remove the grant");
  }
  for (const std::string& path : input.policy.network.unix_sockets) add(path, Show::read, "");
  for (const std::string& path : input.pins.writable) add(path, Show::write, "");
  const bool mounts = has_namespaces(input.rung);
  if (mounts)  // without mounts an overlay's path would be the host's own
    for (const OverlayPlan& overlay : input.overlays)
      entries.push_back({overlay.path, Show::write, PathType::folder, ""});
  if (!input.scratch.empty()) add(input.scratch, Show::write, "");
  add(input.workspace.root, show_of(input.policy.filesystem.workspace), "");

  sort_once(entries);
  if (mounts) {
    TRY(hide_sockets(input, look, entries));
    sort_once(entries);
    drop_placeless(input, entries);
  }
  return entries;
}

void add_pins(const Pins& pins, MountRecipe& mounts) {
  for (const std::string& path : pins.self_binds) {
    mounts.clone(kScratchSlot, path, wire::kCloneOptional);
    mounts.attach(kScratchSlot, path);
  }
  for (const std::string& path : pins.read_only) {
    mounts.clone(kScratchSlot, path, wire::kCloneOptional);
    mounts.restrict_slot(kScratchSlot, kReadOnly);
    mounts.attach(kScratchSlot, path);
  }
}

Result<RootView> build_root_view(const CompileInput& input, const std::vector<ViewEntry>& entries) {
  return Builder(input, entries).build();
}

}  // namespace fathom::sandbox
