#include "sandbox/hidden_paths.hpp"

#include "policies/path_rules.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace fathom::sandbox {
namespace {

std::int64_t nanoseconds_of(const statx_timestamp& time) {
  return time.tv_sec * 1'000'000'000 + static_cast<std::int64_t>(time.tv_nsec);
}

}  // namespace

HiddenPaths::Identity HiddenPaths::identity_of(const std::string& path) {
  struct statx info{};
  if (::statx(AT_FDCWD, path.c_str(), AT_NO_AUTOMOUNT,
              STATX_TYPE | STATX_INO | STATX_CTIME | STATX_BTIME, &info) != 0)
    return {};
  const bool born = (info.stx_mask & STATX_BTIME) != 0;
  // A folder changes with each name in it, and has no second name itself.
  const bool changes = !born || !S_ISDIR(info.stx_mode);
  return {.device = std::uint64_t{info.stx_dev_major} << 32 | info.stx_dev_minor,
          .inode = info.stx_ino,
          .born_ns = born ? nanoseconds_of(info.stx_btime) : 0,
          .changed_ns = changes ? nanoseconds_of(info.stx_ctime) : 0};
}

HiddenPaths::HiddenPaths(const CompileInput& input, std::vector<ViewEntry> planned)
    : rung_(input.rung), planned_(std::move(planned)) {
  for (std::string& path : paths_to_hide(input)) {
    const Identity then = identity_of(path);
    const bool covered = then != Identity{} && is_planned(look_at_path(path).path);
    watched_.push_back({std::move(path), then, covered});
  }
}

bool HiddenPaths::is_planned(const std::string& resolved) const {
  const auto at = std::ranges::find(planned_, resolved, &ViewEntry::path);
  return at != planned_.end() && at->show == Show::hidden;
}

// Below something that is hidden whole. Without mounts a private folder hides nothing but the home.
bool HiddenPaths::is_out_of_sight(const std::string& resolved) const {
  const ViewEntry* around = nullptr;
  for (const ViewEntry& entry : planned_)
    if (entry.path != resolved && policies::is_at_or_below(resolved, entry.path) &&
        (around == nullptr || entry.path.size() > around->path.size()))
      around = &entry;
  if (around == nullptr) return false;
  if (around->show == Show::private_folder) return has_namespaces(rung_) || around->name == "home";
  return around->show == Show::hidden;
}

bool HiddenPaths::holds_places(const std::string& resolved) const {
  return std::ranges::any_of(planned_, [&](const ViewEntry& entry) {
    return entry.show != Show::hidden && entry.path != resolved &&
           policies::is_at_or_below(entry.path, resolved);
  });
}

Result<std::vector<ViewEntry>> HiddenPaths::uncovered() const {
  std::vector<ViewEntry> open;
  for (const Watched& watched : watched_) {
    const Identity now = identity_of(watched.path);
    if (now == Identity{} || (watched.covered && now == watched.then)) continue;
    HostPath at = look_at_path(watched.path);
    if (at.type == PathType::missing) continue;
    const bool planned = is_planned(at.path);
    // Rules follow the files beside a hidden one: a new file in its place is under none of them.
    if (planned && !has_namespaces(rung_)) continue;
    if (!planned && is_out_of_sight(at.path)) continue;
    if (holds_places(at.path))
      return fail(ErrorCode::in_use, "sandbox: " + at.path +
                                         ", which the policy hides, was replaced while the " +
                                         "session shows something in it: open a new session");
    if (std::ranges::find(open, at.path, &ViewEntry::path) == open.end())
      open.push_back({std::move(at.path), Show::hidden, at.type, ""});
  }
  return open;
}

}  // namespace fathom::sandbox
