#include "sandbox/scratch_folder.hpp"

#include "policies/path_rules.hpp"
#include "runtime/base/file.hpp"
#include "sandbox/maker_name.hpp"
#include "sandbox/remove_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace fathom::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOwnerOnly = 0700;

// With folders nobody may write, such as those of Go's module cache, which only root's remove_all
// removes. What stays is for the next sweep.
void remove_folder(const fs::path& path) {
  const UniqueFd parent(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent) (void)remove_tree(parent.get(), path.filename().string());
}

void sweep_stale(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored))
    if (is_left_behind(entry.path())) remove_folder(entry.path());
}

}  // namespace

Result<ScratchFolder> ScratchFolder::create(const fs::path& parent) {
  TRY(create_private_dirs(parent));
  sweep_stale(parent);
  ScratchFolder folder;
  const fs::path path = parent / new_maker_name();
  if (::mkdir(path.c_str(), kOwnerOnly) != 0)
    return fail(system_error("scratch folder " + path.string(), errno));
  folder.held_ = TRY(hold_folder(path));
  folder.path_ = look_at_path(path.string()).path;
  for (const std::string& inside :
       {folder.tmp(), folder.home(), folder.run(), folder.shared_memory()})
    if (::mkdir(inside.c_str(), kOwnerOnly) != 0)
      return fail(system_error("scratch folder " + inside, errno));
  return folder;
}

ScratchFolder::~ScratchFolder() { remove(); }

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")), held_(std::move(other.held_)) {}

ScratchFolder& ScratchFolder::operator=(ScratchFolder&& other) noexcept {
  if (this == &other) return *this;
  remove();
  path_ = std::exchange(other.path_, "");
  held_ = std::move(other.held_);
  return *this;
}

void ScratchFolder::link_home(const std::string& old_home,
                              const std::vector<ViewEntry>& entries) const {
  if (path_.empty() || old_home.empty()) return;
  std::error_code ignored;  // a link that is not there is a setting that is not found
  for (const ViewEntry& entry : entries) {
    const bool shown = entry.show == Show::read || entry.show == Show::write;
    if (!shown || entry.path == old_home || !policies::is_at_or_below(entry.path, old_home))
      continue;
    const fs::path link = home() + entry.path.substr(old_home.size());
    fs::create_directories(link.parent_path(), ignored);
    fs::create_symlink(entry.path, link, ignored);
  }
}

void ScratchFolder::remove() {
  if (path_.empty()) return;
  remove_folder(path_);
  path_.clear();
  held_.reset();
}

}  // namespace fathom::sandbox
