#include "sandbox/remove_tree.hpp"

#include "sandbox/directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kBatch = 1024;            // names taken from a folder at a time
constexpr std::size_t kNamesHeldMax = 200'000;  // over all levels; then folders go one by one
constexpr std::size_t kStepsMax = 100'000'000;  // against a program that creates as we remove

// Makes a folder of ours listable and changeable. The permission bits of what is being removed do
// not matter to anybody.
UniqueFd open_folder(int folder, const std::string& name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd opened(::openat(folder, name.c_str(), kFlags));
  if (!opened && errno == EACCES) {
    const UniqueFd path(
        ::openat(folder, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!path) return {};
    // fchmod does not take an O_PATH descriptor, and fchmodat would follow a link.
    const std::string self = "/proc/self/fd/" + std::to_string(path.get());
    if (::chmod(self.c_str(), S_IRWXU) != 0) return {};
    opened.reset(::openat(folder, name.c_str(), kFlags));
  }
  return opened;
}

class Removal {
 public:
  Removal(int folder, std::string name) : top_(folder), name_(std::move(name)) {}

  Result<> run() {
    if (TRY(remove_entry(top_, name_))) return {};
    TRY(descend(top_, name_));
    while (!levels_.empty()) {
      if (++steps_ > kStepsMax) return fail(ErrorCode::in_use, "remove: the tree keeps growing");
      if (!TRY(step())) TRY(ascend());
    }
    return {};
  }

 private:
  struct Level {
    std::string name;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::vector<std::string> folders;  // listed and not empty
  };

  // True when it is gone; false for a folder with something in it.
  static Result<bool> remove_entry(int folder, const std::string& name) {
    if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR && errno != EPERM && errno != EACCES)
      return fail(system_error("remove", errno));
    const int first = errno;
    if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    if (errno == ENOTEMPTY || errno == EEXIST || errno == EACCES) return false;
    return fail(system_error("remove", errno == ENOTDIR ? first : errno));
  }

  Result<> descend(int folder, const std::string& name) {
    UniqueFd opened = open_folder(folder, name);
    if (!opened) {
      if (errno == ENOENT) return {};
      return fail(system_error("remove: open a folder", errno));
    }
    const Stamp stamp = TRY(stamp_of(opened.get(), ""));
    if (levels_.empty())
      mount_ = stamp.mount;
    else if (stamp.mount != mount_)
      return fail(ErrorCode::in_use, "remove: a mount point is in the tree: unmount it first");
    if ((stamp.mode & S_IRWXU) != S_IRWXU) ::fchmod(opened.get(), S_IRWXU);
    levels_.push_back({name, stamp.device, stamp.inode, {}});
    current_ = std::move(opened);
    return {};
  }

  // Removes what it can of the current folder or goes into one of its folders; false when it is
  // empty.
  Result<bool> step() {
    Level& level = levels_.back();
    if (level.folders.empty()) {
      const Listing listing = TRY(list(current_.get(), held_ < kNamesHeldMax ? kBatch : 1));
      if (listing.entries.empty()) return false;
      for (const Listed& entry : listing.entries)
        if (!TRY(remove_entry(current_.get(), entry.name))) level.folders.push_back(entry.name);
      held_ += level.folders.size();
    } else {
      const std::string name = std::move(level.folders.back());
      level.folders.pop_back();
      --held_;
      TRY(descend(current_.get(), name));
    }
    return true;
  }

  Result<> ascend() {
    const std::string name = std::move(levels_.back().name);
    levels_.pop_back();
    if (levels_.empty()) {
      if (::unlinkat(top_, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
        return fail(system_error("remove", errno));
      return {};
    }
    UniqueFd parent(::openat(current_.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent) return fail(system_error("remove: open a folder", errno));
    const Stamp stamp = TRY(stamp_of(parent.get(), ""));
    if (stamp.inode != levels_.back().inode || stamp.device != levels_.back().device)
      return fail(ErrorCode::in_use, "remove: the tree was moved meanwhile: try again");
    current_ = std::move(parent);
    if (::unlinkat(current_.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT &&
        errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
      return fail(system_error("remove", errno));
    return {};
  }

  int top_;
  std::string name_;
  UniqueFd current_;
  std::vector<Level> levels_;
  std::uint64_t mount_ = 0;
  std::size_t held_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

Result<> remove_tree(int folder, const std::string& name) { return Removal(folder, name).run(); }

}  // namespace fathom::sandbox
