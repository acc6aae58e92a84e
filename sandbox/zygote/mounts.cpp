#include "sandbox/zygote/mounts.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

namespace fathom::sandbox::zygote {
namespace {

constexpr std::size_t kPathBytesMax = 4096;
constexpr std::size_t kOptionBytesMax = 256;  // of one option; the kernel's own bound

// linux/mount.h and sys/mount.h of different ages disagree on which of these they define.
constexpr unsigned kFsconfigSetFlag = 0;
constexpr unsigned kFsconfigSetString = 1;
constexpr unsigned kFsconfigCreate = 6;

// Passes "size=1g,mode=700" to a file system context, option by option.
bool configure(int context, const char* options) {
  while (*options != '\0') {
    char key[kOptionBytesMax];
    std::size_t size = 0;
    char* value = nullptr;
    for (; *options != '\0' && *options != ','; ++options) {
      if (size + 1 >= sizeof key) return errno = ENAMETOOLONG, false;
      key[size] = *options;
      if (*options == '=' && value == nullptr) {
        key[size] = '\0';
        value = key + size + 1;
      }
      ++size;
    }
    key[size] = '\0';
    if (*options == ',') ++options;
    const unsigned command = value != nullptr ? kFsconfigSetString : kFsconfigSetFlag;
    if (::syscall(SYS_fsconfig, context, command, key, value, 0) != 0) return false;
  }
  return ::syscall(SYS_fsconfig, context, kFsconfigCreate, nullptr, nullptr, 0) == 0;
}

bool attach(int tree, const char* path) {
  const int target = open_path(path);
  if (target < 0) return false;
  const bool moved = move_mount(tree, target) == 0;
  const int error = errno;
  ::close(target);
  errno = error;
  return moved;
}

// A new file system that is mounted nowhere yet; -1 on failure.
int make_tree(const char* type, const char* options, std::uint64_t attributes) {
  const int context = static_cast<int>(::syscall(SYS_fsopen, type, 1U /* FSOPEN_CLOEXEC */));
  if (context < 0) return -1;
  int tree = -1;
  if (configure(context, options))
    tree = static_cast<int>(::syscall(SYS_fsmount, context, 1U /* FSMOUNT_CLOEXEC */,
                                      static_cast<unsigned>(attributes)));
  const int error = errno;
  ::close(context);
  errno = error;
  return tree;
}

bool restrict_path(const char* path, std::uint64_t attributes, unsigned flags) {
  const int fd = open_path(path);
  if (fd < 0) return false;
  const bool done = set_mount_attributes(fd, attributes, flags) == 0;
  const int error = errno;
  ::close(fd);
  errno = error;
  return done;
}

// mkdir -p. Used below file systems that this recipe made itself, so no link can be met.
bool make_folders(const char* path, unsigned mode) {
  char part[kPathBytesMax];
  std::size_t size = 0;
  for (; path[size] != '\0'; ++size) {
    if (size + 1 >= sizeof part) return errno = ENAMETOOLONG, false;
    if (path[size] == '/' && size > 0) {
      part[size] = '\0';
      if (::mkdir(part, 0755) != 0 && errno != EEXIST && errno != EROFS) return false;
    }
    part[size] = path[size];
  }
  part[size] = '\0';
  if (::mkdir(part, mode) == 0) return ::chmod(part, mode) == 0;  // over the umask
  return errno == EEXIST;
}

bool make_file(const char* path, unsigned mode, const char* contents, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return errno == EEXIST;
  const bool done = size == 0 || ::write(fd, contents, size) == static_cast<long>(size);
  ::close(fd);
  return done;
}

bool clone_into(Slots& slots, wire::PlanReader& plan) {
  const std::uint32_t slot = plan.u32();
  const std::uint32_t flags = plan.u32();
  const char* path = plan.text();
  if (!plan.ok() || slot >= wire::kSlotsMax) return errno = EINVAL, false;
  const int fd = open_path(path);
  if (fd < 0) return (flags & wire::kCloneOptional) != 0 && errno == ENOENT;
  slots.fds[slot] =
      open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
  const int error = errno;
  ::close(fd);
  errno = error;
  return slots.fds[slot] >= 0;
}

bool perform_slot(wire::MountOp op, wire::PlanReader& plan, Slots& slots) {
  const std::uint32_t slot = plan.u32();
  if (slot >= wire::kSlotsMax) return errno = EINVAL, false;
  int& fd = slots.fds[slot];
  if (op == wire::MountOp::restrict_slot) {
    const std::uint64_t attributes = plan.u64();
    return fd < 0 || set_mount_attributes(fd, attributes, AT_RECURSIVE) == 0;
  }
  const char* path = plan.text();
  if (fd < 0) return true;
  const bool done = attach(fd, path);
  const int error = errno;
  ::close(fd);
  errno = error;
  fd = -1;
  return done;
}

// From the session's /dev, where an empty folder and an empty file stand for this. What the builder
// of the namespace cannot walk to, its commands can even less.
bool cover(const char* path) {
  const int at = open_path(path);
  if (at < 0) return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
  struct stat info{};
  const bool folder = ::fstat(at, &info) == 0 && S_ISDIR(info.st_mode);
  const int from = open_path(folder ? "/dev/empty" : "/dev/nothing");
  const int tree =
      from < 0 ? -1 : open_tree(from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  const bool done = tree >= 0 && set_mount_attributes(tree, MOUNT_ATTR_RDONLY, 0) == 0 &&
                    move_mount(tree, at) == 0;
  const int error = errno;
  const int opened[] = {at, from, tree};
  for (const int fd : opened)
    if (fd >= 0) ::close(fd);
  errno = error;
  return done;
}

bool perform_files(wire::MountOp op, wire::PlanReader& plan) {
  switch (op) {
    case wire::MountOp::mkdirs: {
      const std::uint32_t mode = plan.u32();
      return make_folders(plan.text(), mode);
    }
    case wire::MountOp::file: {
      const std::uint32_t mode = plan.u32();
      const char* path = plan.text();
      std::size_t size = 0;
      const char* contents = plan.text(&size);
      return make_file(path, mode, contents, size);
    }
    case wire::MountOp::symlink: {
      const char* target = plan.text();
      const char* path = plan.text();
      return ::symlink(target, path) == 0 || errno == EEXIST;
    }
    default:
      return errno = EINVAL, false;
  }
}

bool perform_new(wire::MountOp op, wire::PlanReader& plan) {
  constexpr std::uint64_t kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  const char* path = plan.text();
  switch (op) {
    case wire::MountOp::tmpfs:
      return mount_new("tmpfs", path, plan.text(), kPlain);
    case wire::MountOp::overlay:  // by mount(2): fsconfig(2) takes no option of more than 255 bytes
      return ::mount("overlay", path, "overlay", MS_NOSUID | MS_NODEV, plan.text()) == 0;
    case wire::MountOp::devpts:
      return mount_new("devpts", path, "mode=620,ptmxmode=666",
                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    case wire::MountOp::sysfs:
      mount_new("sysfs", path, "", kPlain | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
      return true;
    default:
      return errno = EINVAL, false;
  }
}

bool perform_one(wire::PlanReader& plan, Slots& slots, const int* given, std::size_t given_count) {
  const auto op = static_cast<wire::MountOp>(plan.u32());
  switch (op) {
    case wire::MountOp::clone:
      return clone_into(slots, plan);
    case wire::MountOp::given: {
      const std::uint32_t slot = plan.u32();
      const std::uint32_t index = plan.u32();
      if (slot >= wire::kSlotsMax || index >= given_count) return errno = EINVAL, false;
      slots.fds[slot] = given[index];
      return true;
    }
    case wire::MountOp::restrict_slot:
    case wire::MountOp::attach:
      return perform_slot(op, plan, slots);
    case wire::MountOp::restrict_all:
    case wire::MountOp::restrict_one: {
      const char* path = plan.text();
      const std::uint64_t attributes = plan.u64();
      return restrict_path(path, attributes, op == wire::MountOp::restrict_all ? AT_RECURSIVE : 0);
    }
    case wire::MountOp::mkdirs:
    case wire::MountOp::file:
    case wire::MountOp::symlink:
      return perform_files(op, plan);
    case wire::MountOp::cover:
      return cover(plan.text());
    default:
      return perform_new(op, plan);
  }
}

}  // namespace

bool mount_new(const char* type, const char* path, const char* options, std::uint64_t attributes) {
  const int tree = make_tree(type, options, attributes);
  if (tree < 0) return false;
  const bool done = attach(tree, path);
  const int error = errno;
  ::close(tree);
  errno = error;
  return done;
}

bool can_mount(const char* type) {
  const int tree = make_tree(type, "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (tree >= 0) ::close(tree);
  return tree >= 0;
}

Failure perform_mounts(wire::PlanReader& plan, Slots& slots, const int* given,
                       std::size_t given_count) {
  const std::uint32_t count = plan.u32();
  for (std::uint32_t i = 0; i < count; ++i) {
    errno = 0;
    if (!perform_one(plan, slots, given, given_count)) return failed(wire::Stage::mounts, i);
    if (!plan.ok()) return {wire::Stage::plan, EINVAL, i};
  }
  return {};
}

}  // namespace fathom::sandbox::zygote
