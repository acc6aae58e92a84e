#include "sandbox/folder_cache.hpp"

namespace fathom::sandbox {
namespace {

// Up to here one stat by path from the root is cheaper than opening the folder.
constexpr std::uint32_t kStatDepthMax = 48;
constexpr std::size_t kStatPathBytesMax = 2048;

}  // namespace

const FolderCache::Opened* FolderCache::find(std::uint32_t directory) {
  for (auto opened = opened_.rbegin(); opened != opened_.rend(); ++opened)
    if (opened->directory == directory) return &*opened;
  return nullptr;
}

int FolderCache::root_of(std::uint32_t directory) const {
  return subject_.roots[snapshot_.directories[directory].root].folder.get();
}

Result<int> FolderCache::open(std::uint32_t directory) {
  const Directory& wanted = snapshot_.directories[directory];
  if (wanted.parent == kNone) return root_of(directory);
  if (const Opened* found = find(directory)) return found->fd.get();
  UniqueFd fd;
  if (const Opened* parent = find(wanted.parent)) {
    fd = TRY(open_directory(parent->fd.get(), wanted.name));
  } else {
    path_steps_ += wanted.depth;
    if (path_steps_ > subject_.limits.path_steps_max)
      return fail(ErrorCode::too_large, "the tree is too deep");
    fd = TRY(open_directory(root_of(directory), path_of(snapshot_, directory)));
  }
  if (opened_.size() == kOpenMax) opened_.pop_front();
  opened_.push_back({directory, std::move(fd)});
  return opened_.back().fd.get();
}

Result<Stamp> FolderCache::stamp(std::uint32_t directory, const std::string& name) {
  if (const Opened* found = find(directory)) return stamp_of(found->fd.get(), name);
  // A link put into the middle of the path meanwhile leads to another inode, or into a folder whose
  // own change is seen: stats only compare.
  if (snapshot_.directories[directory].depth <= kStatDepthMax) {
    const std::string path = path_of(snapshot_, directory, name);
    if (path.size() <= kStatPathBytesMax) return stamp_of(root_of(directory), path);
  }
  return stamp_of(TRY(open(directory)), name);
}

}  // namespace fathom::sandbox
