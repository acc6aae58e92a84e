#include "sandbox/tree_diff.hpp"

#include "sandbox/git_config.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

namespace fathom::sandbox {
namespace {

// Whether a user's program would see no difference.
bool is_same(const WatchedEntry& before, const WatchedEntry& now) {
  if (before.stamp.type != now.stamp.type) return false;
  const bool has_text = now.stamp.type == FileType::regular || now.stamp.type == FileType::symlink;
  if (has_text && before.content && now.content)
    return *before.content == *now.content && before.stamp.mode == now.stamp.mode;
  return before.stamp == now.stamp;
}

// A step list of a stopped rebase runs its exec lines on `git rebase --continue`.
bool has_exec_step(std::string_view todo) {
  while (!todo.empty()) {
    std::string_view line = todo.substr(0, todo.find('\n'));
    todo.remove_prefix(std::min(line.size() + 1, todo.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    for (std::string_view command : {"exec", "x"}) {
      if (!line.starts_with(command)) continue;
      const std::string_view rest = line.substr(command.size());
      if (rest.starts_with(' ') || rest.starts_with('\t')) return true;
    }
  }
  return false;
}

std::string_view trimmed(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

class Diff {
 public:
  Diff(const Snapshot& before, const Snapshot& now, const std::unordered_set<std::string>& pinned)
      : before_(before),
        now_(now),
        pinned_(pinned),
        skip_(now.directories.size(), Skip::nothing),
        now_of_(before.directories.size(), kNone) {}

  Deviations run() {
    for (std::uint32_t index = 0; index < now_.directories.size(); ++index)
      if (const std::uint32_t old = now_.directories[index].before; old != kNone)
        now_of_[old] = index;
    for (std::uint32_t index = 0; index < now_.directories.size(); ++index) directory(index);
    removed_directories();
    return std::move(out_);
  }

 private:
  enum class Skip : std::uint8_t {
    nothing,
    git_part,  // what is git's of a folder that is no git directory once its HEAD is moved away
    all,
  };

  const Directory* old_of(std::uint32_t index) const {
    const std::uint32_t before = now_.directories[index].before;
    return before == kNone ? nullptr : &before_.directories[before];
  }

  void directory(std::uint32_t index) {
    const Directory& now = now_.directories[index];
    skip_[index] = inherited_skip(now);
    if (skip_[index] == Skip::all || now.mount) return;
    const Directory* old = old_of(index);
    if (is_new_guarded_top(now, old)) {
      if (is_moved_folder(now)) return entries(index);
      add(Fix::quarantine, index, "", now.rule, "made by the command");
      skip_[index] = Skip::all;
      return;
    }
    if (now.zone == Zone::bare && old != nullptr && old->zone != Zone::bare && !old->empty) {
      became_git_directory(index, *old);
      skip_[index] = Skip::git_part;
    }
    entries(index);
  }

  Skip inherited_skip(const Directory& now) const {
    if (now.parent == kNone) return Skip::nothing;
    const Skip parent = skip_[now.parent];
    if (parent != Skip::git_part) return parent;
    const bool users = now.asked == Zone::plain || now.asked == Zone::reported ||
                       (now.asked == Zone::guarded && !now.rule.starts_with("git."));
    return users ? Skip::nothing : Skip::all;
  }

  // Of a protected folder that was not there, the outermost is moved away whole.
  bool is_new_guarded_top(const Directory& now, const Directory* old) const {
    return now.zone == Zone::guarded && now.parent != kNone && old == nullptr;
  }

  // The ctime of a folder changes when it is renamed, not when a folder above it is.
  bool is_moved_folder(const Directory& now) {
    index_moved();
    const auto found = moved_folders_.find(now.inode);
    if (found == moved_folders_.end()) return false;
    const Directory& old = before_.directories[found->second];
    return old.name == now.name && old.device == now.device && old.changed_ns == now.changed_ns;
  }

  bool is_moved_file(const WatchedEntry& entry) {
    index_moved();
    const auto found = moved_files_.find(entry.stamp.inode);
    return found != moved_files_.end() && found->second->name == entry.name &&
           found->second->watch == entry.watch && found->second->rule == entry.rule &&
           found->second->stamp == entry.stamp && is_same(*found->second, entry);
  }

  void index_moved() {
    if (std::exchange(moved_indexed_, true)) return;
    for (std::uint32_t at = 0; at < before_.directories.size(); ++at) {
      const Directory& old = before_.directories[at];
      if (old.zone == Zone::guarded) moved_folders_.emplace(old.inode, at);
      for (const WatchedEntry& entry : old.watched) moved_files_.emplace(entry.stamp.inode, &entry);
    }
  }

  // A folder of the user's that the command gave the names of a git directory: without one of them
  // it is none, and the user's files stay where they are.
  void became_git_directory(std::uint32_t index, const Directory& old) {
    const GitMarks& now = now_.directories[index].marks;
    const std::array<std::pair<bool, std::string_view>, 4> made = {{
        {now.head && !old.marks.head, "HEAD"},
        {now.common_dir && !old.marks.common_dir, "commondir"},
        {now.refs && !old.marks.refs, "refs"},
        {now.objects && !old.marks.objects, "objects"},
    }};
    for (const auto& [is_new, name] : made) {
      if (!is_new) continue;
      add(Fix::quarantine, index, name, "git.bare", "made the folder a git directory");
      return;
    }
  }

  void entries(std::uint32_t index) {
    const Directory& now = now_.directories[index];
    const Directory* old = old_of(index);
    for (const WatchedEntry& entry : now.watched) {
      if (skip_[index] == Skip::git_part && is_of_git(entry)) continue;
      const WatchedEntry* was = old == nullptr ? nullptr : find_watched(*old, entry.name);
      if (was != nullptr && was->watch == entry.watch && is_same(*was, entry)) continue;
      if (was == nullptr && is_moved_file(entry) && entry.watch != Watch::config &&
          entry.watch != Watch::git_file)
        continue;
      if (is_by_others(index, entry, was)) continue;
      deviating(index, entry, was);
    }
    if (old == nullptr || skip_[index] != Skip::nothing) return;
    for (const WatchedEntry& was : old->watched)
      if (find_watched(now, was.name) == nullptr) removed(*old, was);
  }

  static bool is_of_git(const WatchedEntry& entry) {
    return entry.watch != Watch::name && entry.watch != Watch::report &&
           entry.watch != Watch::git_file && entry.watch != Watch::git_other;
  }

  // Under a mount that was in place the command cannot have written.
  bool is_by_others(std::uint32_t index, const WatchedEntry& entry, const WatchedEntry* was) const {
    if (pinned_.empty()) return false;
    if (pinned_.contains(absolute_path_of(now_, index, entry.name)))
      return was != nullptr && was->stamp.inode == entry.stamp.inode;
    for (std::uint32_t at = index; now_.directories[at].parent != kNone;
         at = now_.directories[at].parent) {
      const Directory* old = old_of(at);
      if (old == nullptr || old->inode != now_.directories[at].inode) continue;
      if (pinned_.contains(absolute_path_of(now_, at, ""))) return true;
    }
    return false;
  }

  void deviating(std::uint32_t index, const WatchedEntry& entry, const WatchedEntry* was) {
    switch (entry.watch) {
      case Watch::report:
        return add(Fix::will_run, index, entry.name, entry.rule,
                   was == nullptr ? "new" : "changed");
      case Watch::alternates:
        return add(Fix::report, index, entry.name, entry.rule,
                   "objects are read from " + (entry.content ? *entry.content : "elsewhere"));
      case Watch::todo:
        if (!entry.content || has_exec_step(*entry.content))
          add(Fix::will_run, index, entry.name, entry.rule,
              "`git rebase --continue` runs its steps");
        return;
      case Watch::inert:
        if (was == nullptr && is_new_repository(index)) return;
        break;
      case Watch::common_dir:
        if (was == nullptr && entry.content && trimmed(*entry.content) == "../..") return;
        break;
      case Watch::git_file:
        if (points_to_watched(index, entry)) return;
        break;
      case Watch::config:
        return config(index, entry, was);
      case Watch::name:
      case Watch::git_other:
      case Watch::git:
        break;
    }
    undo(index, entry, was);
  }

  void undo(std::uint32_t index, const WatchedEntry& entry, const WatchedEntry* was) {
    if (was == nullptr)
      return add(Fix::quarantine, index, entry.name, entry.rule, "made by the command");
    if (!was->content)
      return add(Fix::quarantine, index, entry.name, entry.rule,
                 "changed by the command; what it was is not kept");
    add(Fix::restore, index, entry.name, entry.rule, "changed by the command");
    out_.list.back().stamp = was->stamp;
    out_.list.back().text = *was->content;
  }

  bool is_new_repository(std::uint32_t index) const {
    while (!is_git_directory(now_.directories[index].zone)) {
      if (now_.directories[index].parent == kNone) return false;
      index = now_.directories[index].parent;
    }
    const Directory* old = old_of(index);
    return old == nullptr || !is_git_directory(old->zone);
  }

  // All git directories of the tree are watched, so a file that points to one of them does no harm.
  bool points_to_watched(std::uint32_t index, const WatchedEntry& entry) const {
    if (!entry.content) return false;
    const std::string target = git_file_target(absolute_path_of(now_, index, ""), *entry.content);
    const std::uint32_t found = target.empty() ? kNone : find_directory(now_, target);
    return found != kNone && is_git_directory(now_.directories[found].zone);
  }

  void config(std::uint32_t index, const WatchedEntry& entry, const WatchedEntry* was) {
    const bool readable = entry.stamp.type == FileType::regular && entry.content;
    const auto settings = readable ? parse_git_config(*entry.content)
                                   : Result<std::vector<GitSetting>>(
                                         fail(ErrorCode::bad_data, "not a small regular file"));
    if (!settings) {
      undo(index, entry, was);
      if (was == nullptr) out_.list.back().detail += "; git.config: " + settings.error().message;
      return;
    }
    if (was != nullptr) {
      const bool had_text = was->stamp.type == FileType::regular && was->content;
      const auto old = had_text ? parse_git_config(*was->content) : settings;
      if (!had_text || !old || !is_harmless_change(*old, *settings)) undo(index, entry, was);
      return;
    }
    std::vector<GitSetting> kept;
    std::string lost;
    for (const GitSetting& setting : *settings) {
      if (is_inert(setting) || is_own_worktree(index, setting)) {
        kept.push_back(setting);
      } else if (lost.size() < kLostBytesMax) {
        lost += (lost.empty() ? "" : ", ") + name_of(setting);
      }
    }
    if (lost.empty()) return;
    add(Fix::rewrite, index, entry.name, entry.rule, "lost " + lost);
    out_.list.back().stamp = entry.stamp;
    out_.list.back().text = print_git_config(kept);
  }

  // core.worktree lets `git checkout` write anywhere; a submodule needs it. It may name the folder
  // around the git directory or one whose .git file points back.
  bool is_own_worktree(std::uint32_t index, const GitSetting& setting) const {
    if (setting.section != "core" || setting.subsection || setting.key != "worktree") return false;
    if (!setting.value) return false;
    const std::string git_folder = absolute_path_of(now_, index, "");
    const std::uint32_t found = find_directory(now_, resolve_path(git_folder, *setting.value));
    if (found == kNone) return false;
    if (found == now_.directories[index].parent) return true;
    const WatchedEntry* file = find_watched(now_.directories[found], ".git");
    return file != nullptr && file->watch == Watch::git_file && file->content &&
           git_file_target(absolute_path_of(now_, found, ""), *file->content) == git_folder;
  }

  void removed(const Directory& folder, const WatchedEntry& was) {
    const auto index = static_cast<std::uint32_t>(&folder - before_.directories.data());
    const bool matters = was.watch == Watch::name || was.watch == Watch::git ||
                         was.watch == Watch::config || was.watch == Watch::git_file ||
                         was.watch == Watch::git_other || was.watch == Watch::common_dir;
    if (!matters || is_removed_by_others(index, was)) return;
    if (!was.content)
      return add_at(Fix::report, before_, index, was.name, was.rule, "removed; it was not kept");
    add_at(Fix::restore, before_, index, was.name, was.rule, "removed by the command");
    out_.list.back().stamp = was.stamp;
    out_.list.back().text = *was.content;
  }

  // What is a mount point for the command is not removed by it, nor what is in a folder that is one
  // still.
  bool is_removed_by_others(std::uint32_t index, const WatchedEntry& was) const {
    if (pinned_.empty()) return false;
    if (pinned_.contains(absolute_path_of(before_, index, was.name))) return true;
    for (; before_.directories[index].parent != kNone; index = before_.directories[index].parent) {
      const std::uint32_t now = now_of_[index];
      const bool replaced =
          now != kNone && now_.directories[now].inode != before_.directories[index].inode;
      if (!replaced && pinned_.contains(absolute_path_of(before_, index, ""))) return true;
    }
    return false;
  }

  void removed_directories() {
    std::vector<bool> restored(now_of_.size(), false);
    for (std::uint32_t index = 0; index < now_of_.size(); ++index) {
      if (now_of_[index] != kNone) continue;
      const Directory& old = before_.directories[index];
      if (old.parent == kNone) continue;
      const bool top = now_of_[old.parent] != kNone;
      restored[index] = top ? is_kept_up(old.zone) : restored[old.parent];
      if (restored[index])
        for (const WatchedEntry& was : old.watched) removed(old, was);
      const bool git = old.asked == Zone::repository && equals_ignoring_case(old.name, ".git");
      if (top && git)
        add_at(Fix::report, before_, index, "", "git.removed", "the git directory is gone");
    }
  }

  // A repository or a folder may go with all it holds; the hooks may not go from under a
  // repository.
  static bool is_kept_up(Zone zone) {
    return zone == Zone::guarded || zone == Zone::hooks || zone == Zone::info ||
           zone == Zone::remotes;
  }

  void add(Fix fix, std::uint32_t index, std::string_view name, std::string_view rule,
           std::string detail) {
    add_at(fix, now_, index, name, rule, std::move(detail));
  }

  void add_at(Fix fix, const Snapshot& snapshot, std::uint32_t index, std::string_view name,
              std::string_view rule, std::string detail) {
    if (fix == Fix::will_run && out_.will_run++ >= kWillRunMax) return;
    if (out_.list.size() >= kDeviationsMax + kWillRunMax) {
      out_.complete = false;
      out_.list.pop_back();  // the callers complete the last one
    }
    Deviation& deviation = out_.list.emplace_back();
    deviation.fix = fix;
    deviation.root = snapshot.directories[index].root;
    deviation.path = path_of(snapshot, index, name);
    deviation.rule = rule;
    deviation.detail = std::move(detail);
  }

  static constexpr std::size_t kLostBytesMax = 300;

  const Snapshot& before_;
  const Snapshot& now_;
  const std::unordered_set<std::string>& pinned_;
  std::vector<Skip> skip_;
  std::vector<std::uint32_t> now_of_;  // by folder of `before`
  std::unordered_map<std::uint64_t, std::uint32_t> moved_folders_;
  std::unordered_map<std::uint64_t, const WatchedEntry*> moved_files_;
  bool moved_indexed_ = false;
  Deviations out_;
};

}  // namespace

Deviations diff(const Snapshot& before, const Snapshot& now,
                const std::unordered_set<std::string>& pinned) {
  return Diff(before, now, pinned).run();
}

}  // namespace fathom::sandbox
