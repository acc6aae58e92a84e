#include "sandbox/layer_changes.hpp"

#include "sandbox/git_gate.hpp"
#include "sandbox/host_edits.hpp"
#include "sandbox/overlay_layer.hpp"

#include <fcntl.h>

#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

namespace fathom::sandbox {
namespace {

constexpr std::uint32_t kCarriedBits = 0777;  // never setuid: the file becomes the user's

struct Folder {
  std::string path;
  Ground ground;
  bool has_lower = false;
  bool opaque = false;  // below an opaque folder everything of the workspace goes
};

// One name as both trees have it.
struct Entry {
  std::string name;
  std::string path;
  std::optional<LayerEntry> upper;  // absent: only in the workspace, and to go
  std::optional<Stamp> lower;
};

class LayerWalk {
 public:
  explicit LayerWalk(const LayerSubject& subject) : subject_(subject), reader_(subject.upper) {}

  Result<std::vector<Change>> run() {
    pending_.push_back({"", {}, true, false});
    while (!pending_.empty()) {
      const Folder folder = std::move(pending_.back());
      pending_.pop_back();
      TRY(visit(folder));
    }
    settle_vanished();
    std::ranges::sort(changes_, {}, &Change::path);  // parents stand before what they hold
    return std::move(changes_);
  }

 private:
  Result<> visit(const Folder& folder) {
    upper_ = TRY(reader_.folder(folder.path));
    lower_.reset();
    folder_newer_.reset();
    if (folder.has_lower) {
      Result<UniqueFd> lower = open_directory(subject_.lower, folder.path);
      if (!lower) return fail(context("open " + folder.path + " in the workspace", lower.error()));
      lower_ = *std::move(lower);
    }
    Listing listing = TRY(list(upper_.get(), kLayerNamesMax - names_));
    if (!listing.complete) return too_many();
    names_ += listing.entries.size();
    std::ranges::sort(listing.entries, {}, &Listed::name);
    fill_folders(folder.path);
    Ground ground = folder.ground;
    TRY(find_bare(folder, listing, ground));
    for (const Listed& listed : listing.entries) TRY(both(folder, ground, listed.name));
    if (folder.opaque && folder.has_lower) TRY(hidden_below(folder, ground, listing));
    return {};
  }

  static std::unexpected<Error> too_many() {
    return fail(ErrorCode::too_large, "more than " + std::to_string(kLayerNamesMax) +
                                          " names were changed: discard the transaction");
  }

  // Nearest first, for patterns of several parts.
  void fill_folders(std::string_view path) {
    folders_.clear();
    while (!path.empty() && folders_.size() < NameMatcher::kPatternDepthMax) {
      const std::size_t slash = path.rfind('/');
      folders_.push_back(path.substr(slash + 1));  // npos + 1 is 0
      path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
    }
  }

  // A folder with the names of a git directory is one for git, whatever it is called.
  Result<> find_bare(const Folder& folder, const Listing& listing, Ground& ground) {
    became_bare_ = false;
    GitMarks lower;
    bool lower_empty = true;
    if (folder.has_lower) {
      for (const char* mark : {"HEAD", "objects", "refs", "commondir"})
        if (stamp_of(lower_.get(), mark)) lower.note(mark);
      lower_empty = TRY(list(lower_.get(), 1)).entries.empty();
    }
    GitMarks merged = folder.opaque ? GitMarks{} : lower;
    for (const Listed& entry : listing.entries)  // a whiteout is no mark
      if (!entry.type_known || entry.type != FileType::other) merged.note(entry.name);
    if (ground.zone == Zone::modules && (merged.head || lower.head)) ground.zone = Zone::repository;
    const bool may_be = ground.zone == Zone::plain || ground.zone == Zone::reported ||
                        ground.zone == Zone::data || ground.zone == Zone::objects ||
                        ground.zone == Zone::objects_info || ground.zone == Zone::rebase;
    if (!may_be || (!merged.complete() && !lower.complete())) return {};
    if (lower.complete() || lower_empty)
      ground = {Zone::bare, !lower.complete(), ""};
    else
      became_bare_ = true;  // a folder of the user's: it must not become one
    return {};
  }

  Result<> both(const Folder& folder, const Ground& ground, const std::string& name) {
    Entry entry;
    entry.name = name;
    entry.path = folder.path.empty() ? name : folder.path + '/' + name;
    Result<LayerEntry> upper = look_at_layer(upper_.get(), name);
    if (!upper) {
      // Looked at while a command writes: gone since it was listed.
      if (upper.error().code == ErrorCode::not_found) return {};
      return fail(context("look at " + entry.path, upper.error()));
    }
    entry.upper = *upper;
    if (lower_) {
      Result<Stamp> lower = stamp_of(lower_.get(), name);
      if (lower)
        entry.lower = *lower;
      else if (lower.error().code != ErrorCode::not_found)
        return fail(context("look at " + entry.path + " in the workspace", lower.error()));
    }
    if (upper->whiteout) return entry.lower ? removed(ground, entry) : Result<>{};
    if (upper->stamp.type == FileType::directory) return in_folder(folder, ground, entry);
    return in_file(ground, entry);
  }

  Result<> hidden_below(const Folder& folder, const Ground& ground, const Listing& upper) {
    std::unordered_set<std::string_view> kept;
    for (const Listed& entry : upper.entries) kept.insert(entry.name);
    Listing lower = TRY(list(lower_.get(), kLayerNamesMax - names_));
    if (!lower.complete) return too_many();
    names_ += lower.entries.size();
    for (const Listed& listed : lower.entries) {
      if (kept.contains(listed.name)) continue;
      Entry entry;
      entry.name = listed.name;
      entry.path = folder.path + '/' + listed.name;
      entry.lower = TRY(stamp_of(lower_.get(), listed.name));
      TRY(removed(ground, entry));
    }
    return {};
  }

  Result<> removed(const Ground& ground, const Entry& entry) {
    Change change = begin(ChangeKind::deleted, entry, *entry.lower);
    rule_on(change, judge(ground, entry, entry.lower->type, Doing::removed));
    if (change.fate != Fate::withheld) note_host_edit(change, entry);
    whiteouts_.emplace(entry.lower->bytes, entry.lower->modified_ns);
    return keep(std::move(change));
  }

  Result<> in_folder(const Folder& folder, const Ground& ground, const Entry& entry) {
    const bool merged = entry.lower && entry.lower->type == FileType::directory;
    const Doing doing = merged ? Doing::changed : Doing::made;
    const Ruling ruling = judge(ground, entry, FileType::directory, doing);
    const Stamp& stamp = entry.upper->stamp;
    const bool same_mode = merged && ((stamp.mode ^ entry.lower->mode) & kCarriedBits) == 0;
    const ChangeKind kind = !entry.lower ? ChangeKind::added
                            : merged     ? ChangeKind::mode_changed
                                         : ChangeKind::type_changed;
    Change change = begin(kind, entry, stamp);
    rule_on(change, ruling);
    if (entry.path.size() > kChangePathBytesMax) {
      change.fate = Fate::withheld;
      change.reason = "deeper than a path can say";
    } else if (!entry.lower && folder.has_lower && is_copied_up(upper_.get(), entry.name)) {
      change.fate = Fate::conflict;
      change.reason = "the folder was removed on the host";
    } else if (change.fate != Fate::withheld && kind == ChangeKind::type_changed) {
      note_host_edit(change, entry);
    }
    const bool enter = change.fate == Fate::applied || change.fate == Fate::runs_later;
    if (same_mode && !enter) change.kind = ChangeKind::modified;  // something in it is
    if (!same_mode || !enter) TRY(keep(std::move(change)));
    if (!enter) return {};
    const bool opaque = merged && (folder.opaque || entry.upper->opaque);
    pending_.push_back({entry.path, ruling.inside, merged, opaque});
    return {};
  }

  Result<> in_file(const Ground& ground, const Entry& entry) {
    const Stamp& stamp = entry.upper->stamp;
    const bool same_type = entry.lower && entry.lower->type == stamp.type;
    ChangeKind kind = !entry.lower ? ChangeKind::added
                      : same_type  ? ChangeKind::modified
                                   : ChangeKind::type_changed;
    if (same_type) {
      const bool same_text = TRY(is_same_text(entry));
      const bool same_mode =
          stamp.type == FileType::symlink || ((stamp.mode ^ entry.lower->mode) & kCarriedBits) == 0;
      if (same_text && same_mode) return {};
      if (same_text) kind = ChangeKind::mode_changed;
    }
    Change change = begin(kind, entry, stamp);
    const Doing doing = entry.lower ? Doing::changed : Doing::made;
    const Ruling ruling = judge(ground, entry, stamp.type, doing);
    rule_on(change, ruling);
    change.objects_first = ground.zone == Zone::objects || ground.zone == Zone::objects_info ||
                           change.path.find("/objects/") != std::string::npos;
    if (stamp.type == FileType::symlink) change.text = TRY(read_link(upper_.get(), entry.name));
    if (stamp.type == FileType::other) {
      change.fate = Fate::withheld;
      change.reason = "a fifo, socket or device is not carried over";
    } else if (change.fate != Fate::withheld) {
      check_content(change, entry, ruling);
    }
    if (change.fate == Fate::withheld) return keep(std::move(change));
    if (entry.lower)
      note_host_edit(change, entry);
    else if (lower_ && is_folder_newer() && is_copied_up(upper_.get(), entry.name))
      vanished_.push_back({changes_.size(), stamp.bytes, stamp.modified_ns});
    return keep(std::move(change));
  }

  // Same size and time is the ordinary sign of a file that was only opened or had its bits changed;
  // as times can be set, the bytes decide. A newer file of the workspace may be what an earlier
  // commit of this transaction wrote.
  Result<bool> is_same_text(const Entry& entry) {
    const Stamp& now = entry.upper->stamp;
    if (now.type == FileType::symlink)
      return TRY(read_link(upper_.get(), entry.name)) == TRY(read_link(lower_.get(), entry.name));
    if (now.type != FileType::regular || now.bytes != entry.lower->bytes) return false;
    const bool same_time = now.modified_ns == entry.lower->modified_ns;
    if (!same_time && entry.lower->changed_ns <= subject_.began_ns) return false;
    const UniqueFd upper = TRY(LayerReader::file(upper_.get(), entry.name));
    const UniqueFd lower(
        ::openat(lower_.get(), entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!lower) return false;
    return has_same_bytes(upper.get(), lower.get());
  }

  Change begin(ChangeKind kind, const Entry& entry, const Stamp& stamp) const {
    Change change;
    change.kind = kind;
    change.type = stamp.type;
    change.path = entry.path;
    change.mode = stamp.mode & kCarriedBits;
    change.bytes = stamp.type == FileType::directory ? 0 : stamp.bytes;
    change.before = entry.lower;
    return change;
  }

  Ruling judge(const Ground& ground, const Entry& entry, FileType type, Doing doing) const {
    Ruling ruling = subject_.judge.judge(ground, {folders_, entry.name, type, doing});
    GitMarks mark;
    mark.note(entry.name);
    if (became_bare_ && mark != GitMarks{} && doing == Doing::made)
      return {
          Fate::withheld, Check::nothing, {}, "git.bare", "would make its folder a git directory"};
    const bool replaced = doing != Doing::removed && entry.lower && entry.lower->type != type;
    if (replaced && equals_ignoring_case(entry.name, ".git"))
      return {Fate::withheld, Check::nothing, {}, "git.dir", "would replace the git directory"};
    return ruling;
  }

  static void rule_on(Change& change, const Ruling& ruling) {
    change.fate = ruling.fate;
    change.rule = ruling.rule;
    change.reason = ruling.reason;
  }

  void check_content(Change& change, const Entry& entry, const Ruling& ruling) const {
    if (ruling.check == Check::nothing) return;
    const GateInput input{{upper_.get(), lower_ && entry.lower ? lower_.get() : -1},
                          subject_.workspace,
                          {subject_.upper, subject_.lower},
                          entry.path};
    Gate gate = pass_gate(ruling.check, input);
    if (!gate.open) change.fate = Fate::withheld;
    if (!gate.reason.empty()) change.reason = std::move(gate.reason);
    if (gate.text) change.text = std::move(gate.text);
  }

  // Also notes what moves for other reasons when its further names go.
  void note_host_edit(Change& change, const Entry& entry) const {
    if (entry.lower->type != FileType::directory) {
      change.shared = has_more_names(lower_.get(), entry.name);
      if (entry.lower->changed_ns <= subject_.began_ns) return;
    }
    const auto below = look_below(lower_.get(), entry.name, subject_.began_ns, Times::changed);
    change.shared = change.shared || (below && below->shared);
    if (below && !below->newer) return;
    change.fate = Fate::conflict;
    change.reason = below ? "changed on the host since the transaction began"
                          : "cannot be looked through: " + below.error().message;
  }

  bool is_folder_newer() {
    if (!folder_newer_) {
      const Result<Stamp> stamp = stamp_of(lower_.get(), "");
      folder_newer_ = !stamp || stamp->changed_ns > subject_.began_ns;
    }
    return *folder_newer_;
  }

  // A copy of a file that the workspace does not have: renamed in the transaction, or removed on
  // the host. A rename leaves a whiteout where a file of the same size and time stands.
  void settle_vanished() {
    for (const Vanished& file : vanished_) {
      if (whiteouts_.contains({file.bytes, file.modified_ns})) continue;
      changes_[file.change].fate = Fate::conflict;
      changes_[file.change].reason = "may have been removed on the host: its folder changed there";
    }
  }

  Result<> keep(Change change) {
    if (changes_.size() >= kChangesMax)
      return fail(ErrorCode::too_large,
                  "more than " + std::to_string(kChangesMax) + " changes: discard the transaction");
    changes_.push_back(std::move(change));
    return {};
  }

  struct Vanished {
    std::size_t change;
    std::uint64_t bytes;
    std::int64_t modified_ns;
  };

  const LayerSubject& subject_;
  LayerReader reader_;
  UniqueFd upper_;
  UniqueFd lower_;
  std::vector<Folder> pending_;
  std::vector<Change> changes_;
  std::vector<Vanished> vanished_;
  std::set<std::pair<std::uint64_t, std::int64_t>> whiteouts_;
  std::vector<std::string_view> folders_;
  bool became_bare_ = false;
  std::optional<bool> folder_newer_;  // of the folder that is visited
  std::size_t names_ = 0;
};

}  // namespace

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::added:
      return "added";
    case ChangeKind::modified:
      return "modified";
    case ChangeKind::mode_changed:
      return "mode_changed";
    case ChangeKind::type_changed:
      return "type_changed";
    case ChangeKind::deleted:
      return "deleted";
  }
  return "";
}

std::string_view name_of(Fate fate) {
  switch (fate) {
    case Fate::applied:
      return "applied";
    case Fate::runs_later:
      return "runs_later";
    case Fate::withheld:
      return "withheld";
    case Fate::conflict:
      return "conflict";
  }
  return "";
}

std::string_view name_of(FileType type) {
  switch (type) {
    case FileType::regular:
      return "file";
    case FileType::directory:
      return "folder";
    case FileType::symlink:
      return "link";
    case FileType::other:
      return "other";
  }
  return "";
}

Result<std::vector<Change>> layer_changes(const LayerSubject& subject) {
  return LayerWalk(subject).run();
}

}  // namespace fathom::sandbox
