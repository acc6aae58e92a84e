#include "sandbox/transaction.hpp"

#include "policies/path_rules.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/remove_tree.hpp"
#include "sandbox/root_view.hpp"
#include "sandbox/transaction_record.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <random>
#include <system_error>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kRecordBytesMax = 16 * 1024;  // a path and a few numbers
constexpr std::size_t kJournalBytesMax = std::size_t{1} << 29;
constexpr const char* kFolder = "transactions";
constexpr const char* kRemoved = "removed";  // the layer, on its way out

std::string new_id() {
  std::random_device random;
  UlidSource source((std::uint64_t{random()} << 32) | random());
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto ms = static_cast<std::uint64_t>(now.tv_sec) * 1000 +
                  static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
  return source.next(ms).to_string();
}

Result<UniqueFd> open_folder(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail(system_error("open " + path.string(), errno));
  return fd;
}

Result<UniqueFd> lock(const std::filesystem::path& folder, const std::string& id) {
  UniqueFd fd = TRY(open_folder(folder));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK)
    return fail(ErrorCode::in_use,
                "transaction " + id + ": in use by another command: wait until it has ended");
  return fail(system_error("lock " + folder.string(), errno));
}

Error unknown(std::string_view id) {
  return {ErrorCode::not_found, "transaction '" + to_printable(id) +
                                    "': not found; `fathom sandbox list` shows those there are"};
}

// A folder that is named, or one on the way to it.
bool is_named(const Change& change, const std::vector<std::string>& paths) {
  return paths.empty() || std::ranges::any_of(paths, [&](const std::string& path) {
           const bool above = change.type == FileType::directory &&
                              change.kind != ChangeKind::deleted &&
                              policies::is_at_or_below(path, change.path);
           return above || policies::is_at_or_below(change.path, path);
         });
}

bool is_applied(const Change& change) {
  return change.fate == Fate::applied || change.fate == Fate::runs_later;
}

// A change that is not in the workspace.
void note_rest(const Change& change, const CommitOptions& options, CommitReport& report) {
  if (change.fate == Fate::withheld)
    report.withheld.push_back(change);
  else if (!is_named(change, options.paths) || (is_applied(change) && !report.stopped))
    ++report.left_out;
  else if (change.fate == Fate::conflict)
    report.conflicts.push_back(change);
}

}  // namespace

Result<Transaction> Transaction::begin(const std::filesystem::path& state,
                                       const Workspace& workspace) {
  std::error_code ignored;
  const std::filesystem::path root = std::filesystem::weakly_canonical(state, ignored);
  if (policies::is_at_or_below(root.string(), workspace.root))
    return fail(ErrorCode::usage, "transaction: the state folder " + root.string() +
                                      " lies in the workspace: set XDG_STATE_HOME elsewhere");
  TransactionRecord record;
  record.workspace = workspace.root;
  const UniqueFd tree = TRY(open_folder(workspace.root));
  const Stamp stamp = TRY(stamp_of(tree.get(), ""));
  record.device = stamp.device;
  record.inode = stamp.inode;
  const std::string id = new_id();
  const std::filesystem::path folder = root / kFolder / id;
  TRY(create_private_dirs(folder / "upper"));
  TRY(create_private_dirs(folder / "work"));
  // The overlay's root has the bits of the upper folder. Nobody else gets to it: its parent is
  // private.
  const UniqueFd upper = TRY(open_folder(folder / "upper"));
  if (::fchmod(upper.get(), (stamp.mode & 0777U) | S_IRWXU) != 0)
    return fail(system_error("transaction", errno));
  // The time of a new file, not of a clock: it is not before any change that was already made.
  record.began_ns = TRY(stamp_of(upper.get(), "")).changed_ns;
  TRY(write_file_atomic(folder / "record", encode_record(record), Sync::yes));
  return open(state, id, Use::exclusive);
}

Result<Transaction> Transaction::open(const std::filesystem::path& state, std::string_view id,
                                      Use use) {
  const Result<Ulid> parsed = Ulid::parse(id);
  if (!parsed) return fail(unknown(id));
  std::error_code ignored;
  const std::string name = parsed->to_string();
  const std::filesystem::path folder =
      std::filesystem::weakly_canonical(state, ignored) / kFolder / name;
  const Result<std::string> bytes = read_file(folder / "record", kRecordBytesMax);
  if (!bytes && bytes.error().code == ErrorCode::not_found) return fail(unknown(id));
  if (!bytes) return fail(context("transaction " + name, bytes.error()));
  const TransactionRecord record = TRY(decode_record(*bytes));
  Transaction transaction(folder, {name, record.workspace, record.began_ns, false});
  transaction.device_ = record.device;
  transaction.inode_ = record.inode;
  if (use == Use::exclusive) transaction.locked_ = TRY(lock(folder, name));
  transaction.info_.interrupted = ::access((folder / "plan").c_str(), F_OK) == 0;
  return transaction;
}

Result<std::vector<TransactionInfo>> Transaction::list(const std::filesystem::path& state) {
  std::vector<TransactionInfo> found;
  Result<UniqueFd> folder = open_folder(state / kFolder);
  if (!folder) {
    if (folder.error().code == ErrorCode::not_found) return found;
    return fail(folder.error());
  }
  const Listing listing = TRY(sandbox::list(folder->get(), kListedMax));
  for (const Listed& entry : listing.entries)
    if (Result<Transaction> transaction = open(state, entry.name, Use::look))
      found.push_back(transaction->info());
  std::ranges::sort(found, {}, &TransactionInfo::id);
  return found;
}

Result<UniqueFd> Transaction::open_layer() const {
  Result<UniqueFd> upper = open_folder(folder_ / "upper");
  if (upper || upper.error().code != ErrorCode::not_found) return upper;
  return fail(ErrorCode::not_found,
              "transaction " + info_.id +
                  ": its removal was interrupted: finish it with `fathom sandbox discard " +
                  info_.id + "`");
}

Result<> Transaction::open_trees() {
  upper_ = TRY(open_layer());
  workspace_ = TRY(open_folder(info_.workspace));
  const Stamp stamp = TRY(stamp_of(workspace_.get(), ""));
  if (stamp.inode != inode_ || stamp.device != device_)
    return fail(ErrorCode::in_use, "transaction " + info_.id + ": " + info_.workspace +
                                       " is another folder now: move the old one back or discard");
  return {};
}

Result<std::vector<Change>> Transaction::changes(
    const std::vector<policies::ProtectedName>& names) const {
  const UniqueFd upper = TRY(open_layer());
  const UniqueFd lower = TRY(open_folder(info_.workspace));
  const ChangeJudge judge(TRY(NameMatcher::create(names)));
  return layer_changes({upper.get(), lower.get(), info_.workspace, info_.began_ns, judge});
}

CommitSite Transaction::site() const {
  const Result<Stamp> stamp = stamp_of(workspace_.get(), "");
  CommitSite site{upper_.get(), workspace_.get(), info_.id, info_.began_ns};
  site.owner = stamp ? stamp->uid : ::geteuid();
  site.group = stamp ? stamp->gid : ::getegid();
  return site;
}

Result<std::vector<Step>> Transaction::read_plan() const {
  return decode_steps(TRY(read_file(folder_ / "plan", kJournalBytesMax)));
}

Result<> Transaction::run_plan(const std::vector<Step>& steps, const CommitOptions& options,
                               CommitReport& report) {
  CommitSite at = site();
  at.before_step = options.before_step;
  Committed done = TRY(make_steps(at, steps));
  // The layer may go only when its copy is on the disk.
  if (::syncfs(workspace_.get()) != 0) return fail(system_error("sync the workspace", errno));
  if (::unlink((folder_ / "plan").c_str()) != 0)
    return fail(system_error("remove the journal of the commit", errno));
  info_.interrupted = false;
  report.applied = done.made;
  report.unmade = std::move(done.unmade);
  return {};
}

Result<CommitReport> Transaction::commit(const CommitOptions& options) {
  TRY(open_trees());
  CommitReport report;
  if (info_.interrupted) {
    const std::vector<Step> steps = TRY(read_plan());
    report.resumed = true;
    TRY(run_plan(steps, options, report));
    for (const Change& change : TRY(changes(options.names))) note_rest(change, options, report);
    return close_if_empty(std::move(report));
  }
  std::vector<Change> all = TRY(changes(options.names));
  std::vector<Change> chosen;
  bool conflicting = false;
  for (const Change& change : all) {
    if (is_applied(change) && is_named(change, options.paths)) chosen.push_back(change);
    conflicting = conflicting || (change.fate == Fate::conflict && is_named(change, options.paths));
  }
  report.stopped = conflicting && options.conflicts == CommitOptions::Conflicts::stop;
  const std::vector<Step> steps = report.stopped ? std::vector<Step>{} : plan_commit(chosen);
  if (!steps.empty()) {
    const std::string journal = encode_steps(steps);
    if (journal.size() > kJournalBytesMax)
      return fail(ErrorCode::too_large, "commit: too many changes at once: name some paths");
    TRY(write_file_atomic(folder_ / "plan", journal, Sync::yes));
    info_.interrupted = true;
    TRY(run_plan(steps, options, report));
  }
  for (const Change& change : all) {
    const bool made = !report.stopped && is_applied(change) && is_named(change, options.paths);
    if (!made)
      note_rest(change, options, report);
    else if (change.fate == Fate::runs_later)
      report.runs_later.push_back(change);
    else if (change.type == FileType::regular && change.text)
      report.withheld.push_back(change);  // the settings that a config came without
  }
  return close_if_empty(std::move(report));
}

Result<CommitReport> Transaction::close_if_empty(CommitReport report) {
  const bool empty = !report.stopped && report.unmade.empty() && report.conflicts.empty() &&
                     report.withheld.empty() && report.left_out == 0;
  if (empty) TRY(remove_folder());
  report.closed = empty;
  return report;
}

Result<> Transaction::remove_folder() {
  // Half a layer must not be committed by somebody who comes after a crash; and the record goes
  // last, so that the transaction can be found and its removal finished.
  (void)::renameat(locked_.get(), "upper", locked_.get(), kRemoved);
  for (const char* name : {kRemoved, "work"}) TRY(remove_tree(locked_.get(), name));
  const UniqueFd parent = TRY(open_folder(folder_.parent_path()));
  return remove_tree(parent.get(), folder_.filename().string());
}

Result<> Transaction::discard(Interrupted interrupted) {
  if (info_.interrupted) {
    if (interrupted == Interrupted::refuse)
      return fail(ErrorCode::in_use, "transaction " + info_.id +
                                         ": a commit was interrupted: finish it with commit, or "
                                         "leave the workspace half changed with --force");
    if (const Result<> opened = open_trees()) {
      if (const auto steps = read_plan()) remove_leavings(site(), *steps);
    }
  }
  return remove_folder();
}

}  // namespace fathom::sandbox
