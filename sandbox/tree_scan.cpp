#include "sandbox/tree_scan.hpp"

#include "sandbox/folder_cache.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kIncompleteMax = 64;

std::string rule_of(Zone zone) {
  switch (zone) {
    case Zone::hooks:
      return "git.hooks";
    case Zone::info:
      return "git.info";
    case Zone::remotes:
      return "git.remotes";
    default:
      return "git.unknown";
  }
}

// Folders in which names are let through, so that they may be those of a git directory. Also where
// git keeps its own: a link in the work tree could lead a user there.
bool may_hide_repository(Zone zone) {
  return zone == Zone::plain || zone == Zone::reported || zone == Zone::data ||
         zone == Zone::objects || zone == Zone::objects_info || zone == Zone::rebase;
}

// What the name of an entry says about it.
struct Verdict {
  std::optional<Watch> watch;  // of a file
  Zone zone = Zone::plain;     // of a folder
  std::string rule;
};

Verdict git_verdict(Zone zone, std::string_view name, FileType type, const GitEntry& entry) {
  if (type == FileType::directory)
    return {{}, entry.zone, entry.zone == Zone::guarded ? rule_of(zone) : std::string()};
  switch (entry.access) {
    case GitAccess::written:
    case GitAccess::foreign:
      return {};
    case GitAccess::inert:
      return {Watch::inert, {}, "git." + std::string(name)};
    case GitAccess::config:
      return {Watch::config, {}, "git.config"};
    case GitAccess::common_dir:
      return {Watch::common_dir, {}, "git.commondir"};
    case GitAccess::alternates:
      return {Watch::alternates, {}, "git.alternates"};
    case GitAccess::todo:
      return {Watch::todo, {}, "git.rebase"};
    case GitAccess::guarded:
      break;
  }
  const bool ordinary = type == FileType::regular;
  return {Watch::git, {}, ordinary ? rule_of(zone) : "git.link"};
}

class Scan {
 public:
  Scan(const ScanSubject& subject, const Snapshot* before)
      : subject_(subject), before_(before), cache_(subject, out_) {}

  Snapshot run() {
    for (std::uint32_t root = 0; root < subject_.roots.size(); ++root) add_root(root);
    while (!pending_.empty()) {
      const Pending next = std::move(pending_.back());
      pending_.pop_back();
      visit(next);
    }
    return std::move(out_);
  }

 private:
  struct Pending {
    std::uint32_t parent;
    std::uint32_t before;
    Verdict verdict;
    std::string name;
  };

  void add_root(std::uint32_t index) {
    const ScanRoot& root = subject_.roots[index];
    Directory directory;
    directory.name = root.path;
    directory.root = index;
    directory.asked = root.zone;
    if (before_ != nullptr)
      for (std::uint32_t at = 0; at < before_->directories.size(); ++at)
        if (before_->directories[at].parent == kNone && before_->directories[at].name == root.path)
          directory.before = at;
    const Result<Stamp> stamp = stamp_of(root.folder.get(), "");
    if (!stamp) return incomplete(root.path, stamp.error().message);
    add(std::move(directory), *stamp);
  }

  void visit(const Pending& next) {
    if (out_.directories.size() >= subject_.limits.directories_max)
      return exceeded(directories_full_,
                      "more than " + std::to_string(subject_.limits.directories_max) + " folders");
    const Result<Stamp> stamp = cache_.stamp(next.parent, next.name);
    if (!stamp || stamp->type != FileType::directory) {
      // Gone or replaced since it was listed: then its folder is not settled.
      out_.directories[next.parent].settled = false;
      if (!stamp && stamp.error().code != ErrorCode::not_found)
        incomplete(absolute_path_of(out_, next.parent, next.name), stamp.error().message);
      return;
    }
    Directory directory;
    directory.name = next.name;
    directory.parent = next.parent;
    directory.root = out_.directories[next.parent].root;
    directory.depth = out_.directories[next.parent].depth + 1;
    directory.asked = next.verdict.zone;
    directory.rule = next.verdict.rule;
    directory.before = next.before;
    add(std::move(directory), *stamp);
  }

  void add(Directory directory, const Stamp& stamp) {
    const auto index = static_cast<std::uint32_t>(out_.directories.size());
    directory.zone = directory.asked;
    directory.device = stamp.device;
    directory.inode = stamp.inode;
    directory.changed_ns = stamp.changed_ns;
    if (directory.parent != kNone) {
      Directory& parent = out_.directories[directory.parent];
      directory.next_sibling = std::exchange(parent.first_child, index);
      directory.mount = !is_same_mount(directory.root, stamp);
    } else {
      mounts_.push_back({stamp.device, stamp.mount});
    }
    const bool mount = directory.mount;
    out_.directories.push_back(std::move(directory));
    if (!mount && !reuse(index)) list_folder(index);
  }

  bool is_same_mount(std::uint32_t root, const Stamp& stamp) const {
    const auto& [device, mount] = mounts_[root];
    return stamp.device == device && stamp.mount == mount;
  }

  // Takes over what the look before found, if the folder is as it was.
  bool reuse(std::uint32_t index) {
    const Directory& now = out_.directories[index];
    if (now.before == kNone) return false;
    const Directory& old = before_->directories[now.before];
    // After a bound was met the old look has names that it never listed: nothing of it is whole.
    if (!before_->exceeded.empty()) return false;
    if (!old.settled || old.unread || old.mount || old.asked != now.asked) return false;
    if (old.inode != now.inode || old.device != now.device) return false;
    if (old.changed_ns != now.changed_ns) return false;
    out_.directories[index].zone = old.zone;
    out_.directories[index].marks = old.marks;
    out_.directories[index].empty = old.empty;
    for (const WatchedEntry& entry : old.watched)
      watch(index, entry.name, {entry.watch, {}, entry.rule});
    for (std::uint32_t child = old.first_child; child != kNone;
         child = before_->directories[child].next_sibling) {
      const Directory& folder = before_->directories[child];
      pending_.push_back({index, child, {{}, folder.asked, folder.rule}, folder.name});
    }
    return true;
  }

  void list_folder(std::uint32_t index) {
    const std::int64_t now_ns = subject_.now_ns();
    const Result<int> folder = cache_.open(index);
    if (!folder) return unread(index, folder.error());
    const std::size_t left = subject_.limits.entries_max - out_.entries;
    Result<Listing> listing = list(*folder, left);
    if (!listing) return unread(index, listing.error());
    if (!listing->complete)
      exceeded(entries_full_,
               "more than " + std::to_string(subject_.limits.entries_max) + " entries");
    out_.entries += listing->entries.size();
    Directory& directory = out_.directories[index];
    directory.settled =
        directory.settled && listing->complete && directory.changed_ns < now_ns - kSettlingNs;
    directory.empty = listing->entries.empty();
    for (const Listed& entry : listing->entries) directory.marks.note(entry.name);
    if (may_hide_repository(directory.asked) && directory.marks.complete())
      directory.zone = Zone::bare;
    if (directory.asked == Zone::modules && directory.marks.head) directory.zone = Zone::repository;
    fill_folders(index);
    const auto old_children = children_before(directory.before);
    for (Listed& entry : listing->entries) classify(index, entry, old_children);
    std::ranges::sort(out_.directories[index].watched, {}, &WatchedEntry::name);
  }

  using Children = std::unordered_map<std::string_view, std::uint32_t>;

  Children children_before(std::uint32_t directory) const {
    Children children;
    if (directory == kNone) return children;
    for (std::uint32_t child = before_->directories[directory].first_child; child != kNone;
         child = before_->directories[child].next_sibling)
      children.emplace(before_->directories[child].name, child);
    return children;
  }

  void classify(std::uint32_t index, Listed& entry, const Children& old_children) {
    if (!entry.type_known) {
      const Result<Stamp> stamp = cache_.stamp(index, entry.name);
      if (!stamp) return;
      entry.type = stamp->type;
    }
    const Verdict verdict = judge(index, entry.name, entry.type);
    if (entry.type == FileType::directory) {
      const auto old = old_children.find(entry.name);
      const std::uint32_t before = old == old_children.end() ? kNone : old->second;
      pending_.push_back({index, before, verdict, std::move(entry.name)});
    } else if (verdict.watch) {
      watch(index, entry.name, verdict);
    }
  }

  Verdict judge(std::uint32_t index, const std::string& name, FileType type) {
    const Directory& directory = out_.directories[index];
    switch (directory.zone) {
      case Zone::plain:
        return plain_verdict(index, name, type);
      case Zone::guarded:
        return {Watch::name, Zone::guarded, directory.rule};
      case Zone::reported:
        if (Verdict verdict = plain_verdict(index, name, type); verdict.watch) return verdict;
        return {Watch::report, Zone::reported, directory.rule};
      default:
        break;
    }
    const GitEntry entry = git_entry(directory.zone, name, type);
    if (entry.access == GitAccess::foreign) return plain_verdict(index, name, type);
    return git_verdict(directory.zone, name, type, entry);
  }

  Verdict plain_verdict(std::uint32_t index, const std::string& name, FileType type) {
    if (equals_ignoring_case(name, ".git")) {
      const bool file = type == FileType::regular;
      return {file ? Watch::git_file : Watch::git_other, Zone::repository, "git.dir"};
    }
    if (const policies::ProtectedName* found = subject_.names.match(folders_, name)) {
      if (found->protection == policies::Protection::deny)
        return {Watch::name, Zone::guarded, found->rule};
      return {Watch::report, Zone::reported, found->rule};
    }
    if (!subject_.guarded_paths.empty()) {
      const auto found = subject_.guarded_paths.find(absolute_path_of(out_, index, name));
      if (found != subject_.guarded_paths.end()) return {Watch::name, Zone::guarded, found->second};
    }
    return {};
  }

  // The names that patterns of several parts are compared with.
  void fill_folders(std::uint32_t index) {
    folders_.clear();
    for (std::uint32_t at = index;
         out_.directories[at].parent != kNone && folders_.size() < NameMatcher::kPatternDepthMax;
         at = out_.directories[at].parent)
      folders_.emplace_back(out_.directories[at].name);
  }

  void watch(std::uint32_t index, const std::string& name, const Verdict& verdict) {
    if (*verdict.watch == Watch::report) {
      if (out_.reported >= subject_.limits.reported_max)
        return exceeded(reported_full_, "more than " +
                                            std::to_string(subject_.limits.reported_max) +
                                            " files that will run later");
      ++out_.reported;
    } else if (out_.watched++ >= subject_.limits.watched_max) {
      return exceeded(watched_full_, "more than " + std::to_string(subject_.limits.watched_max) +
                                         " protected entries");
    }
    const std::int64_t now_ns = subject_.now_ns();
    const Result<Stamp> stamp = cache_.stamp(index, name);
    if (!stamp) {
      out_.directories[index].settled = false;
      return;
    }
    WatchedEntry entry;
    entry.name = name;
    entry.watch = *verdict.watch;
    entry.rule = verdict.rule;
    entry.stamp = *stamp;
    entry.settled = stamp->changed_ns < now_ns - kSettlingNs;
    const WatchedEntry* old = nullptr;
    if (const std::uint32_t before = out_.directories[index].before; before != kNone)
      old = find_watched(before_->directories[before], name);
    if (old != nullptr && old->settled && old->stamp == entry.stamp)
      entry.content = old->content;
    else if (entry.watch != Watch::report)
      entry.content = save(index, entry);
    if (entry.content) out_.saved_bytes += entry.content->size();
    out_.directories[index].watched.push_back(std::move(entry));
  }

  std::shared_ptr<const std::string> save(std::uint32_t index, const WatchedEntry& entry) {
    const bool file = entry.stamp.type == FileType::regular;
    if (!file && entry.stamp.type != FileType::symlink) return nullptr;
    if (out_.saved_bytes + entry.stamp.bytes > subject_.limits.saved_bytes_max) return nullptr;
    const Result<int> folder = cache_.open(index);
    if (!folder) return nullptr;
    Result<std::string> bytes =
        file ? read_regular(*folder, entry.name, subject_.limits.saved_file_bytes_max)
             : read_link(*folder, entry.name);
    if (!bytes) return nullptr;
    return std::make_shared<const std::string>(*std::move(bytes));
  }

  void unread(std::uint32_t index, const Error& error) {
    out_.directories[index].unread = true;
    incomplete(absolute_path_of(out_, index, ""), error.message);
  }

  void incomplete(const std::string& path, const std::string& why) {
    if (out_.incomplete.size() < kIncompleteMax)
      out_.incomplete.push_back(path + ": " + why);
    else
      exceeded(incomplete_full_, "further folders could not be looked into");
  }

  void exceeded(bool& told, std::string why) {
    if (!std::exchange(told, true)) out_.exceeded.push_back(std::move(why));
  }

  const ScanSubject& subject_;
  const Snapshot* before_;
  Snapshot out_;
  FolderCache cache_;
  std::vector<Pending> pending_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> mounts_;
  std::vector<std::string_view> folders_;
  bool directories_full_ = false;
  bool entries_full_ = false;
  bool watched_full_ = false;
  bool reported_full_ = false;
  bool incomplete_full_ = false;
};

}  // namespace

Snapshot scan(const ScanSubject& subject, const Snapshot* before) {
  return Scan(subject, before).run();
}

bool is_unchanged(const ScanSubject& subject, const Snapshot& snapshot) {
  FolderCache cache(subject, snapshot);
  if (!snapshot.incomplete.empty() || !snapshot.exceeded.empty()) return false;
  for (std::uint32_t index = 0; index < snapshot.directories.size(); ++index) {
    const Directory& directory = snapshot.directories[index];
    if (!directory.settled || directory.unread) return false;
    const Result<Stamp> stamp = directory.parent == kNone
                                    ? stamp_of(subject.roots[directory.root].folder.get(), "")
                                    : cache.stamp(directory.parent, directory.name);
    if (!stamp || stamp->type != FileType::directory) return false;
    if (stamp->inode != directory.inode || stamp->device != directory.device) return false;
    if (directory.mount) continue;
    if (stamp->changed_ns != directory.changed_ns) return false;
    for (const WatchedEntry& entry : directory.watched) {
      if (!entry.settled) return false;
      const Result<Stamp> now = cache.stamp(index, entry.name);
      if (!now || *now != entry.stamp) return false;
    }
  }
  return true;
}

}  // namespace fathom::sandbox
