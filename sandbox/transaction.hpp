// Transaction: edits that are kept beside the workspace until somebody looks at them and says
// commit or discard.
//
// A transaction is a folder of the user's state: "upper" and "work" of an overlay, "record" with
// the workspace and the moment it began, and while a commit runs "plan", its journal. Sessions of
// mode transaction mount the overlay; between them the layer is read from here. One holder at a
// time: a lock on the folder keeps a commit away from a layer that commands still write.
//
// Commit makes two passes. The first only reads: it lists what would change, what is withheld by
// the rules for protected names and git directories, and what the host changed meanwhile. Unless it
// is told otherwise it stops there when it found a conflict. The second writes the journal and then
// makes its steps (committer.hpp). After a crash `plan` is still there: commands are refused, and
// the next commit takes the same plan up again, whatever it is asked to commit. What is not applied
// stays in the transaction, which is closed only when nothing is left in it.
//
// Not carried over: owners, times, access lists, setuid bits, fifos and sockets, hard links to
// files that the transaction did not touch. Power failure: the journal is synced before the first
// step, the workspace before the layer goes.
//
// Cost of 1,000 changed files in 50 folders, two busy cores, medians of 9, range over four runs,
// ext4 (and memory): listing 5.8-10.5 ms (5-7 ms; 6.3 ms of processor time), discard 27-195 ms (6-8
// ms), commit 0.75-3.3 s (53-64 ms). What varies is how long the disk takes to make and remove
// files.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/committer.hpp"
#include "sandbox/host.hpp"
#include "sandbox/layer_changes.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

using TransactionId = Id<struct TransactionTag>;

struct CommitOptions {
  std::vector<policies::ProtectedName> names;  ///< the policy's
  std::vector<std::string> paths;              ///< only these and what is below; empty: everything
  enum class Conflicts : std::uint8_t { stop, skip } conflicts = Conflicts::stop;
  std::function<void(std::size_t)> before_step = {};  ///< progress; may be absent
};

struct CommitReport {
  std::size_t applied = 0;         ///< steps made
  bool stopped = false;            ///< conflicts were found first: nothing was written
  bool resumed = false;            ///< an interrupted commit was finished first, and only that
  bool closed = false;             ///< nothing is left; the transaction is gone
  std::vector<Change> runs_later;  ///< applied: the user's programs will run or obey these
  std::vector<Change> conflicts;
  std::vector<Change> withheld;
  std::vector<Unmade> unmade;  ///< met during the second pass
  std::size_t left_out = 0;    ///< changes that `paths` did not name
};

/// What `list` shows of one transaction.
struct TransactionInfo {
  std::string id;
  std::string workspace;
  std::int64_t began_ns = 0;
  bool interrupted = false;  ///< a commit was
};

class Transaction {
 public:
  static constexpr std::size_t kListedMax = 10'000;

  /// Whether others are kept out. Looking needs no lock, and may then see a half-written layer.
  enum class Use : std::uint8_t { exclusive, look };

  /// Makes the folder below `state`, which must be outside the workspace.
  static Result<Transaction> begin(const std::filesystem::path& state, const Workspace& workspace);

  /// `not_found` for an unknown id; `in_use` when another process holds it, or when the workspace
  /// is another folder by now.
  static Result<Transaction> open(const std::filesystem::path& state, std::string_view id, Use use);

  /// Oldest first.
  static Result<std::vector<TransactionInfo>> list(const std::filesystem::path& state);

  [[nodiscard]] const std::string& id() const { return info_.id; }
  [[nodiscard]] const TransactionInfo& info() const { return info_; }
  /// For LauncherOptions::transaction.
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

  /// The difference to the workspace as it is now.
  [[nodiscard]] Result<std::vector<Change>> changes(
      const std::vector<policies::ProtectedName>& names) const;

  /// Needs Use::exclusive. An error leaves the transaction as it is, at worst interrupted.
  Result<CommitReport> commit(const CommitOptions& options);

  /// Removes the layer. Of an interrupted commit what was applied stays applied, so it must be
  /// asked for. Needs Use::exclusive.
  enum class Interrupted : std::uint8_t { refuse, abandon };
  Result<> discard(Interrupted interrupted);

 private:
  Transaction(std::filesystem::path folder, TransactionInfo info)
      : folder_(std::move(folder)), info_(std::move(info)) {}
  [[nodiscard]] Result<UniqueFd> open_layer() const;
  Result<> open_trees();
  Result<std::vector<Step>> read_plan() const;
  Result<> run_plan(const std::vector<Step>& steps, const CommitOptions& options,
                    CommitReport& report);
  Result<CommitReport> close_if_empty(CommitReport report);
  Result<> remove_folder();
  [[nodiscard]] CommitSite site() const;

  std::filesystem::path folder_;
  TransactionInfo info_;
  std::uint64_t device_ = 0;  // of the workspace when it began
  std::uint64_t inode_ = 0;
  UniqueFd locked_;
  UniqueFd upper_;
  UniqueFd workspace_;
};

}  // namespace fathom::sandbox
