#include "sandbox/protected_tree.hpp"

#include "sandbox/git_links.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <filesystem>
#include <ranges>
#include <utility>

namespace fathom::sandbox {
namespace {

std::int64_t real_time_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

bool is_below(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder.ends_with('/') ? folder : folder + '/');
}

Result<ScanRoot> open_root(const std::string& path, Zone zone) {
  ScanRoot root{path, UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), zone};
  if (!root.folder) return fail(system_error("open " + path, errno));
  return root;
}

bool is_passive(const Deviation& deviation) {
  return deviation.fix == Fix::report || deviation.fix == Fix::will_run;
}

std::string key_of(const Deviation& deviation) {
  return std::to_string(deviation.root) + deviation.rule + '/' + deviation.path;
}

// The parts of a tree that get a mount each.
class PinList {
 public:
  PinList(const Snapshot& snapshot, const std::unordered_set<std::string>& made)
      : snapshot_(snapshot), made_(made), covered_(snapshot.directories.size(), false) {}

  void fill(Pins& pins) {
    for (std::uint32_t index = 0; index < snapshot_.directories.size(); ++index) directory(index);
    for (const std::string& path : paths_) {
      if (path.size() >= PATH_MAX) {
        pins.notes.push_back("too deep to pin: " + path.substr(0, kNoteBytesMax) + "…");
        continue;
      }
      pins.read_only.push_back(path);
    }
    pins.self_binds.assign(parents_.begin(), parents_.end());
    std::ranges::sort(pins.self_binds);  // a folder stands before what is in it
  }

 private:
  static constexpr std::size_t kNoteBytesMax = 200;

  void directory(std::uint32_t index) {
    const Directory& folder = snapshot_.directories[index];
    if (folder.parent != kNone && covered_[folder.parent]) {
      covered_[index] = true;
      return;
    }
    const bool whole =
        folder.zone == Zone::guarded || folder.zone == Zone::hooks || folder.zone == Zone::remotes;
    // Whatever is mounted below the workspace is not looked into, so it must not be written.
    const bool pinned = folder.parent != kNone && (folder.mount || whole);
    const bool made =
        is_git_directory(folder.zone) && made_.contains(absolute_path_of(snapshot_, index, ""));
    covered_[index] = pinned || made;
    if (pinned && !made) add(index, "");
    if (covered_[index]) return;
    for (const WatchedEntry& entry : folder.watched) {
      const bool kept = entry.watch == Watch::name || entry.watch == Watch::git ||
                        entry.watch == Watch::config || entry.watch == Watch::git_file ||
                        entry.watch == Watch::common_dir;
      if (!kept || entry.stamp.type != FileType::regular) continue;
      if (entry.watch == Watch::git_file &&
          made_.contains(absolute_path_of(snapshot_, index, entry.name)))
        continue;
      add(index, entry.name);
    }
  }

  void add(std::uint32_t index, std::string_view name) {
    paths_.push_back(absolute_path_of(snapshot_, index, name));
    if (paths_.back().size() >= PATH_MAX) return;
    std::uint32_t at = name.empty() ? snapshot_.directories[index].parent : index;
    for (; snapshot_.directories[at].parent != kNone; at = snapshot_.directories[at].parent)
      if (!parents_.insert(absolute_path_of(snapshot_, at, "")).second) break;
  }

  const Snapshot& snapshot_;
  const std::unordered_set<std::string>& made_;
  std::vector<bool> covered_;
  std::vector<std::string> paths_;
  std::unordered_set<std::string> parents_;
};

}  // namespace

Result<ProtectedTree> ProtectedTree::create(TreeOptions options) {
  std::error_code failed;
  const std::string workspace = std::filesystem::canonical(options.workspace, failed).string();
  if (failed) return fail(system_error("open the workspace " + options.workspace, failed.value()));
  const std::string kept = std::filesystem::canonical(options.quarantine, failed).string();
  if (failed)
    return fail(system_error("open the quarantine " + options.quarantine, failed.value()));
  if (is_below(kept, workspace))
    return fail(ErrorCode::usage,
                "the quarantine " + kept + " lies in the workspace: name a folder outside of it");
  auto subject = std::make_unique<ScanSubject>();
  subject->roots.push_back(TRY(open_root(workspace, Zone::plain)));
  subject->names = TRY(NameMatcher::create(options.names));
  subject->limits = options.limits;
  subject->now_ns = options.now_ns ? std::move(options.now_ns) : real_time_ns;
  ProtectedTree tree(std::move(subject), TRY(Quarantine::open(kept)));
  TRY(tree.refresh());
  return tree;
}

Result<> ProtectedTree::refresh() {
  if (!accepted_.directories.empty() && is_unchanged(*subject_, accepted_)) return {};
  notes_.clear();
  accepted_ = scan(*subject_, &accepted_);
  if (TRY(adopt_git_folders())) accepted_ = scan(*subject_, &accepted_);
  if (adopt_configured_paths()) accepted_ = scan(*subject_, nullptr);
  return {};
}

// Opens the git directories outside the workspace that it belongs to; true when they are others
// than before.
Result<bool> ProtectedTree::adopt_git_folders() {
  GitLinks links = find_git_links(accepted_);
  notes_ = std::move(links.notes);
  if (links.outside.size() > kRootsMax) {
    notes_.push_back("more than " + std::to_string(kRootsMax) + " git directories outside");
    links.outside.resize(kRootsMax);
  }
  const bool same = std::ranges::equal(links.outside, subject_->roots | std::views::drop(1), {}, {},
                                       &ScanRoot::path);
  if (same) return false;
  subject_->roots.resize(1);
  for (const std::string& path : links.outside)
    subject_->roots.push_back(TRY(open_root(path, Zone::repository)));
  return true;
}

bool ProtectedTree::adopt_configured_paths() {
  auto paths = find_configured_paths(accepted_, notes_);
  if (paths == subject_->guarded_paths) return false;
  subject_->guarded_paths = std::move(paths);
  return true;
}

Pins ProtectedTree::pins() const {
  Pins pins;
  PinList(accepted_, made_).fill(pins);
  for (std::size_t root = 1; root < subject_->roots.size(); ++root)
    pins.writable.push_back(subject_->roots[root].path);
  pins.notes.insert(pins.notes.end(), notes_.begin(), notes_.end());
  for (const auto* lines : {&accepted_.incomplete, &accepted_.exceeded})
    for (const std::string& line : *lines) pins.notes.push_back("not looked at: " + line);
  return pins;
}

AuditReport ProtectedTree::audit(const std::vector<std::string>& pinned) {
  AuditReport report;
  if (is_unchanged(*subject_, accepted_)) return report;
  const std::unordered_set<std::string> pins(pinned.begin(), pinned.end());
  Snapshot now;
  Corrections done;
  for (int round = 0;; ++round) {
    now = scan(*subject_, &accepted_);
    const Deviations deviations = diff(accepted_, now, pins);
    if (round < kRoundsMax && correct_all(deviations, done, report)) continue;
    tell_rest(deviations, done, report);
    break;
  }
  // A folder that could not be read before is not said again.
  for (const std::string& line : now.incomplete)
    if (std::ranges::find(accepted_.incomplete, line) == accepted_.incomplete.end())
      report.incomplete.push_back("audit incomplete: " + line);
  for (const std::string& line : now.exceeded)
    report.incomplete.push_back("audit incomplete: " + line);
  // What could not be undone for want of time stays to be undone: the next audit starts from what
  // was accepted last.
  if (done.left) return report;
  note_made(now);
  accepted_ = std::move(now);
  return report;
}

// True when something was corrected, so that another look is needed: what was put away may have
// hidden more, and somebody may be at work still.
bool ProtectedTree::correct_all(const Deviations& deviations, Corrections& done,
                                AuditReport& report) {
  bool acted = false;
  // What is put back may have to take the place of what is moved away.
  for (const bool moving_away : {true, false}) {
    for (const Deviation& deviation : deviations.list) {
      if (is_passive(deviation) || done.failed.contains(key_of(deviation))) continue;
      if ((deviation.fix == Fix::quarantine) != moving_away) continue;
      report.findings.push_back(correct(*subject_, quarantine_, deviation));
      const bool failed = report.findings.back().action == AuditAction::reported;
      (failed ? done.failed : done.made).insert(key_of(deviation));
      acted = acted || !failed;
    }
  }
  return acted;
}

void ProtectedTree::tell_rest(const Deviations& deviations, Corrections& done,
                              AuditReport& report) {
  for (const Deviation& deviation : deviations.list) {
    if (!is_passive(deviation)) {
      done.left = done.left || !done.failed.contains(key_of(deviation));
      continue;
    }
    if (done.made.contains(key_of(deviation))) continue;
    std::vector<Finding>& told =
        deviation.fix == Fix::will_run ? report.will_run_later : report.findings;
    told.push_back(correct(*subject_, quarantine_, deviation));
  }
  if (done.left) report.incomplete.emplace_back("audit incomplete: the tree changed while it ran");
  if (deviations.will_run > kWillRunMax)
    report.will_run_later.push_back(
        {"", "", AuditAction::reported,
         "and " + std::to_string(deviations.will_run - kWillRunMax) + " more"});
  done.left = done.left || !deviations.complete;
  if (!deviations.complete)
    report.incomplete.push_back("audit incomplete: more than " + std::to_string(kDeviationsMax) +
                                " changes to protected paths");
}

void ProtectedTree::note_made(const Snapshot& now) {
  for (std::uint32_t index = 0; index < now.directories.size(); ++index) {
    const Directory& folder = now.directories[index];
    if (made_.size() >= kMadeMax) return;
    if (is_git_directory(folder.zone) && folder.before == kNone && folder.parent != kNone)
      made_.insert(absolute_path_of(now, index, ""));
    const WatchedEntry* file = find_watched(folder, ".git");
    if (file == nullptr) continue;
    const bool known = folder.before != kNone &&
                       find_watched(accepted_.directories[folder.before], ".git") != nullptr;
    if (!known) made_.insert(absolute_path_of(now, index, ".git"));
  }
}

}  // namespace fathom::sandbox
