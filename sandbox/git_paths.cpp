#include "sandbox/git_paths.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace fathom::sandbox {
namespace {

constexpr GitEntry kWritten = {GitAccess::written, Zone::data};
constexpr GitEntry kGuarded = {GitAccess::guarded, Zone::guarded};

struct Named {
  std::string_view name;
  GitEntry entry;
};

// Folders of a git directory (gitrepository-layout(5), and path.c for which of them a linked
// worktree shares).
constexpr std::array kFolders = {
    Named{"branches", {GitAccess::written, Zone::remotes}},
    Named{"fsmonitor--daemon", kWritten},
    Named{"hooks", {GitAccess::written, Zone::hooks}},
    Named{"info", {GitAccess::written, Zone::info}},
    Named{"lfs", kWritten},
    Named{"logs", kWritten},
    Named{"lost-found", kWritten},
    Named{"modules", {GitAccess::written, Zone::modules}},
    Named{"NOTES_MERGE_WORKTREE", kWritten},
    Named{"objects", {GitAccess::written, Zone::objects}},
    Named{"rebase-apply", kWritten},
    Named{"rebase-merge", {GitAccess::written, Zone::rebase}},
    Named{"refs", kWritten},
    Named{"reftable", kWritten},
    Named{"remotes", {GitAccess::written, Zone::remotes}},
    Named{"rr-cache", kWritten},
    Named{"sequencer", kWritten},
    Named{"worktrees", {GitAccess::written, Zone::worktrees}},
};

constexpr std::array<std::string_view, 20> kFiles = {
    "HEAD",
    "index",
    "packed-refs",
    "packed-refs.new",
    "shallow",
    "AUTO_MERGE",
    "MERGE_MODE",
    "MERGE_MSG",
    "MERGE_RR",
    "SQUASH_MSG",
    "MERGE_AUTOSTASH",
    "gc.pid",
    "gc.log",
    "COMMIT_EDITMSG",
    "TAG_EDITMSG",
    "NOTES_EDITMSG",
    "EDIT_DESCRIPTION",
    "ADD_EDIT.patch",
    "addp-hunk-edit.diff",
    "fsmonitor--daemon.ipc",
};

// Files that git names with a number or a ref behind a fixed beginning.
constexpr std::array<std::string_view, 7> kFileBeginnings = {
    "BISECT_", "NOTES_MERGE_", "index.", "next-index-", "sharedindex.", "sharedindex_", "shallow_"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_upper_or_underscore(char c) { return (c >= 'A' && c <= 'Z') || c == '_'; }

bool is_written_file(std::string_view name) {
  if (std::ranges::find(kFiles, name) != kFiles.end()) return true;
  if (name.ends_with("_HEAD") && std::ranges::all_of(name, is_upper_or_underscore)) return true;
  return std::ranges::any_of(kFileBeginnings,
                             [&](std::string_view start) { return name.starts_with(start); });
}

std::string_view without_lock(std::string_view name) {
  constexpr std::string_view kLock = ".lock";
  if (name.ends_with(kLock)) name.remove_suffix(kLock.size());
  return name;
}

GitEntry repository_entry(std::string_view name, FileType type) {
  if (type == FileType::directory) {
    const auto* found = std::ranges::find(kFolders, name, &Named::name);
    return found == kFolders.end() ? kGuarded : found->entry;
  }
  if (is_written_file(without_lock(name))) return kWritten;
  if (name == "config" || name == "config.worktree") return {GitAccess::config, Zone::guarded};
  if (name == "description") return {GitAccess::inert, Zone::guarded};
  return kGuarded;
}

GitEntry worktree_admin_entry(std::string_view name, FileType type) {
  if (type == FileType::directory) {
    for (std::string_view shared : {"branches", "hooks", "objects", "remotes", "worktrees"})
      if (name == shared) return kGuarded;
    return repository_entry(name, type);
  }
  // `gitdir` only says which folder `git worktree remove` may delete, and git looks there for a
  // .git file that points back before it does.
  if (without_lock(name) == "gitdir" || name == "locked") return kWritten;
  if (name == "commondir") return {GitAccess::common_dir, Zone::guarded};
  return name == "config" ? kGuarded : repository_entry(name, type);
}

// Of a folder that has the names of a git directory and perhaps the user's files too, only what git
// reads is judged.
GitEntry bare_entry(std::string_view name, FileType type) {
  constexpr std::array<std::string_view, 8> kRead = {
      "config", "config.worktree", "commondir", "hooks", "info", "branches", "remotes", "common"};
  const GitEntry entry = repository_entry(name, type);
  if (entry != kGuarded) return entry;
  const bool read = std::ranges::any_of(
      kRead, [&](std::string_view known) { return equals_ignoring_case(known, name); });
  return read ? kGuarded : GitEntry{GitAccess::foreign, Zone::plain};
}

GitEntry info_entry(std::string_view name, FileType type) {
  if (type == FileType::directory) return kGuarded;
  if (name == "exclude") return {GitAccess::inert, Zone::guarded};
  // update-server-info, which every gc runs, writes refs through a temporary name.
  if (name == "refs" || name.starts_with("refs_")) return kWritten;
  return without_lock(name) == "sparse-checkout" ? kWritten : kGuarded;
}

GitEntry objects_entry(std::string_view name, FileType type) {
  if (type != FileType::directory) return kWritten;
  return name == "info" ? GitEntry{GitAccess::written, Zone::objects_info} : kWritten;
}

GitEntry objects_info_entry(std::string_view name) {
  if (name == "alternates" || name == "http-alternates")
    return {GitAccess::alternates, Zone::guarded};
  return kWritten;
}

GitEntry rebase_entry(std::string_view name) {
  return name == "git-rebase-todo" ? GitEntry{GitAccess::todo, Zone::data} : kWritten;
}

GitEntry only_folders(FileType type, Zone zone) {
  return type == FileType::directory ? GitEntry{GitAccess::written, zone} : kGuarded;
}

GitEntry by_zone(Zone zone, std::string_view name, FileType type) {
  switch (zone) {
    case Zone::repository:
      return repository_entry(name, type);
    case Zone::bare:
      return bare_entry(name, type);
    case Zone::worktree_admin:
      return worktree_admin_entry(name, type);
    case Zone::worktrees:
      return only_folders(type, Zone::worktree_admin);
    case Zone::modules:
      return only_folders(type, Zone::modules);
    case Zone::info:
      return info_entry(name, type);
    case Zone::objects:
      return objects_entry(name, type);
    case Zone::objects_info:
      return objects_info_entry(name);
    case Zone::rebase:
      return rebase_entry(name);
    case Zone::data:
      return kWritten;
    case Zone::plain:
    case Zone::reported:
    case Zone::guarded:
    case Zone::hooks:
    case Zone::remotes:
      return kGuarded;
  }
  return kGuarded;
}

// The verdict on path[from..] when the git directory of `zone` begins there.
bool is_written_from(std::string_view path, Zone zone) {
  for (;;) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (name.empty() || name == "." || name == "..") return false;
    const bool last = slash == std::string_view::npos;
    const GitEntry entry = git_entry(zone, name, last ? FileType::regular : FileType::directory);
    if (last) return entry.access == GitAccess::written || entry.access == GitAccess::todo;
    if (entry.access != GitAccess::written) return false;
    path.remove_prefix(slash + 1);
    // "modules/a/b/refs/x": the submodule is a, or a/b; one reading that git would write will do,
    // as none of the names that git writes is the name of a hook.
    if (zone == Zone::modules && is_written_from(path, Zone::repository)) return true;
    zone = entry.zone;
  }
}

}  // namespace

bool is_git_directory(Zone zone) {
  return zone == Zone::repository || zone == Zone::bare || zone == Zone::worktree_admin;
}

GitEntry git_entry(Zone zone, std::string_view name, FileType type) {
  if (zone == Zone::hooks && name.ends_with(".sample") && type != FileType::directory)
    return kWritten;
  // No ref and no object has such a name, and a link in the work tree could lead a user there.
  if (zone != Zone::bare && equals_ignoring_case(name, ".git")) return kGuarded;
  const GitEntry entry = by_zone(zone, name, type);
  const bool plain_file = type == FileType::regular || type == FileType::directory;
  if (plain_file || entry.access == GitAccess::foreign) return entry;
  if (type == FileType::other && name == "fsmonitor--daemon.ipc") return entry;
  // git writes through links: COMMIT_EDITMSG or logs/HEAD as a link to a shell's start-up file puts
  // a commit message there, and a fifo stops it.
  return kGuarded;
}

bool is_written_by_git(std::string_view path) { return is_written_from(path, Zone::repository); }

void GitMarks::note(std::string_view name) {
  head = head || equals_ignoring_case(name, "HEAD");
  objects = objects || equals_ignoring_case(name, "objects");
  refs = refs || equals_ignoring_case(name, "refs");
  common_dir = common_dir || equals_ignoring_case(name, "commondir");
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace fathom::sandbox
