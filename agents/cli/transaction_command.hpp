// fathom sandbox list, changes, commit and discard, and the transaction around one command.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"
#include "sandbox/transaction.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fathom::agents {

struct TransactionOptions {
  std::string id;
  std::vector<std::string> paths;  ///< commit: only these
  std::string policy;              ///< name or file; "" is default
  bool force = false;  ///< commit without what conflicts; discard what a commit was interrupted in
  bool json = false;
};

using TransactionCommand = Result<ExitCode> (*)(const TransactionOptions&, const GetEnv&,
                                                Terminal&);

Result<ExitCode> transaction_list(const TransactionOptions& options, const GetEnv& env,
                                  Terminal& terminal);
Result<ExitCode> transaction_changes(const TransactionOptions& options, const GetEnv& env,
                                     Terminal& terminal);
/// Exit code 69 when something could not be committed because the host changed it.
Result<ExitCode> transaction_commit(const TransactionOptions& options, const GetEnv& env,
                                    Terminal& terminal);
Result<ExitCode> transaction_discard(const TransactionOptions& options, const GetEnv& env,
                                     Terminal& terminal);

/// The transaction that one command runs in: a new one, or one to go on with.
class CommandTransaction {
 public:
  /// `id` is empty for a new one. Fails when a commit of it was interrupted, and when it is of
  /// another workspace.
  static Result<CommandTransaction> start(const std::filesystem::path& state,
                                          const sandbox::Workspace& workspace,
                                          const std::string& id);

  [[nodiscard]] const std::filesystem::path& folder() const { return transaction_.folder(); }

  /// After the command's session has ended. A new transaction without a change is removed.
  Result<> end(const std::vector<policies::ProtectedName>& names);

  /// A line of counts, the first changes, and what can be done with them; for standard error.
  [[nodiscard]] std::string to_text() const;
  /// `outcome` is one JSON object; the answer is the same one with "transaction" in it:
  /// null when nothing changed.
  [[nodiscard]] std::string add_to_json(const std::string& outcome) const;

 private:
  CommandTransaction(sandbox::Transaction transaction, bool is_new)
      : transaction_(std::move(transaction)), is_new_(is_new) {}

  sandbox::Transaction transaction_;
  bool is_new_ = false;
  std::vector<sandbox::Change> changes_;
};

}  // namespace fathom::agents
