#include "agents/cli/transaction_command.hpp"

#include "agents/cli/transaction_text.hpp"
#include "policies/policy_files.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

namespace fathom::agents {
namespace {

using sandbox::Transaction;

constexpr std::size_t kFirstLinesMax = 10;
constexpr std::size_t kJsonChangesMax = 1000;  // in an outcome; `changes --json` shows all
constexpr std::size_t kAllLines = std::numeric_limits<std::size_t>::max();

Result<Transaction> open(const TransactionOptions& options, const GetEnv& env,
                         Transaction::Use use) {
  const std::filesystem::path state = TRY(state_dir(env));
  return Transaction::open(state, options.id, use);
}

Result<std::vector<policies::ProtectedName>> names_for(const Transaction& transaction,
                                                       const TransactionOptions& options,
                                                       const GetEnv& env) {
  auto effective =
      TRY(policies::load_effective_policy({transaction.info().workspace, options.policy}, env));
  return std::move(effective.policy.filesystem.protected_names);
}

// As the report prints them, relative to the workspace; absolute paths and "./" are understood.
Result<std::vector<std::string>> relative_paths(const std::vector<std::string>& paths,
                                                const std::string& workspace) {
  std::vector<std::string> relative;
  for (const std::string& given : paths) {
    const std::filesystem::path path(given);
    const std::filesystem::path normal =
        (path.is_absolute() ? path.lexically_relative(workspace) : path).lexically_normal();
    std::string text = normal.string();
    while (text.ends_with('/')) text.pop_back();
    if (text.empty() || text == "." || text == ".." || text.starts_with("../"))
      return fail(ErrorCode::usage, "'" + to_printable(given) + "' is not a path below " +
                                        workspace + ": leave PATH out to commit everything");
    relative.push_back(std::move(text));
  }
  return relative;
}

}  // namespace

Result<ExitCode> transaction_list(const TransactionOptions& options, const GetEnv& env,
                                  Terminal& terminal) {
  const std::filesystem::path state = TRY(state_dir(env));
  const auto infos = TRY(Transaction::list(state));
  if (options.json) {
    terminal.out(to_json(infos) + "\n");
    return ExitCode::ok;
  }
  for (const sandbox::TransactionInfo& info : infos)
    terminal.out(info.id + "  " + time_text(info.began_ns) + "  " + to_printable(info.workspace) +
                 (info.interrupted ? "  (a commit was interrupted)" : "") + "\n");
  if (infos.empty()) terminal.note("no transactions");
  return ExitCode::ok;
}

Result<ExitCode> transaction_changes(const TransactionOptions& options, const GetEnv& env,
                                     Terminal& terminal) {
  const Transaction transaction = TRY(open(options, env, Transaction::Use::look));
  const auto names = TRY(names_for(transaction, options, env));
  const auto changes = TRY(transaction.changes(names));
  if (options.json) {
    terminal.out(to_json(transaction.info(), changes) + "\n");
    return ExitCode::ok;
  }
  terminal.out(lines_of(changes, kAllLines) + counts_of(changes) + "\n");
  return ExitCode::ok;
}

Result<ExitCode> transaction_commit(const TransactionOptions& options, const GetEnv& env,
                                    Terminal& terminal) {
  Transaction transaction = TRY(open(options, env, Transaction::Use::exclusive));
  sandbox::CommitOptions commit;
  commit.names = TRY(names_for(transaction, options, env));
  commit.paths = TRY(relative_paths(options.paths, transaction.info().workspace));
  if (options.force) commit.conflicts = sandbox::CommitOptions::Conflicts::skip;
  const sandbox::CommitReport report = TRY(transaction.commit(commit));
  terminal.out(options.json ? to_json(report, transaction.id()) + "\n"
                            : to_text(report, transaction.id()));
  const bool whole = report.conflicts.empty() && report.unmade.empty();
  return whole ? ExitCode::ok : ExitCode::in_use;
}

Result<ExitCode> transaction_discard(const TransactionOptions& options, const GetEnv& env,
                                     Terminal&) {
  Transaction transaction = TRY(open(options, env, Transaction::Use::exclusive));
  TRY(transaction.discard(options.force ? Transaction::Interrupted::abandon
                                        : Transaction::Interrupted::refuse));
  return ExitCode::ok;
}

Result<CommandTransaction> CommandTransaction::start(const std::filesystem::path& state,
                                                     const sandbox::Workspace& workspace,
                                                     const std::string& id) {
  if (id.empty()) return CommandTransaction(TRY(Transaction::begin(state, workspace)), true);
  Transaction transaction = TRY(Transaction::open(state, id, Transaction::Use::exclusive));
  if (transaction.info().interrupted)
    return fail(ErrorCode::in_use, "transaction " + transaction.id() +
                                       ": a commit was interrupted: finish it with `fathom "
                                       "sandbox commit " +
                                       transaction.id() + "`");
  if (transaction.info().workspace != workspace.root)
    return fail(ErrorCode::usage, "transaction " + transaction.id() + ": it is of " +
                                      to_printable(transaction.info().workspace) +
                                      ": give that folder with --repo");
  return CommandTransaction(std::move(transaction), false);
}

Result<> CommandTransaction::end(const std::vector<policies::ProtectedName>& names) {
  changes_ = TRY(transaction_.changes(names));
  if (!is_new_ || !changes_.empty()) return {};
  return transaction_.discard(Transaction::Interrupted::refuse);
}

std::string CommandTransaction::to_text() const {
  const std::string& id = transaction_.id();
  if (is_new_ && changes_.empty()) return "transaction: no changes\n";
  return "transaction " + id + ": " + counts_of(changes_) + '\n' +
         lines_of(changes_, kFirstLinesMax) + "look: fathom sandbox changes " + id +
         "\nkeep: fathom sandbox commit " + id + "\ndrop: fathom sandbox discard " + id + '\n';
}

std::string CommandTransaction::add_to_json(const std::string& outcome) const {
  auto json = nlohmann::ordered_json::parse(outcome, nullptr, false);
  if (!json.is_object()) return outcome;
  const bool gone = is_new_ && changes_.empty();
  if (gone) {
    json["transaction"] = nullptr;
  } else {
    const std::size_t shown = std::min(changes_.size(), kJsonChangesMax);
    const std::vector<sandbox::Change> first(changes_.begin(),
                                             changes_.begin() + static_cast<long>(shown));
    auto& transaction = json["transaction"];
    transaction =
        nlohmann::ordered_json::parse(to_json(transaction_.info(), first), nullptr, false);
    transaction["changes_total"] = changes_.size();
  }
  return json.dump() + "\n";
}

}  // namespace fathom::agents
