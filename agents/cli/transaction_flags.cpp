#include "agents/cli/transaction_flags.hpp"

#include "runtime/base/text.hpp"

#include <CLI/CLI.hpp>

namespace fathom::agents {
namespace {

void add_json(CLI::App& command, TransactionOptions& options) {
  command.add_flag("--json", options.json, "One JSON object");
}

void add_id(CLI::App& command, TransactionOptions& options) {
  command.add_option("ID", options.id, "As `run --mode transaction` printed it")->required();
}

void add_policy(CLI::App& command, TransactionOptions& options) {
  command.add_option("--policy", options.policy,
                     "Whose protected names are withheld: default, ci-repair, or a file");
}

void add_commit(CLI::App& sandbox, TransactionOptions& options) {
  CLI::App* commit =
      sandbox.add_subcommand("commit", "Bring a transaction's changes to the folder");
  add_id(*commit, options);
  commit->add_option("PATH", options.paths,
                     "Only these, and what is below; relative to the folder");
  commit->add_flag("--force", options.force,
                   "Where the host changed the same file, leave that one and commit the rest");
  add_policy(*commit, options);
  add_json(*commit, options);
  commit->footer(
      "Hooks, git settings that run programs, and protected names are withheld. What is not\n"
      "committed stays in the transaction. After a crash the next commit finishes the old one.\n"
      "Exit code 69 when the host changed the same files: without --force nothing was written.\n"
      "Examples:\n  fathom sandbox commit 01JZ0W4CB5Q7S2M3N4P5R6T7V8\n"
      "  fathom sandbox commit 01JZ0W4CB5Q7S2M3N4P5R6T7V8 src tests/a.c");
}

void add_discard(CLI::App& sandbox, TransactionOptions& options) {
  CLI::App* discard = sandbox.add_subcommand("discard", "Drop a transaction and all its changes");
  add_id(*discard, options);
  discard->add_flag("--force", options.force,
                    "Also when a commit was interrupted: the folder stays half changed");
  discard->footer("Example:\n  fathom sandbox discard 01JZ0W4CB5Q7S2M3N4P5R6T7V8");
}

}  // namespace

void add_mode_options(CLI::App& command, SandboxOptions& options) {
  const auto set_mode = [&options](const std::string& name) {
    using sandbox::Mode;
    if (name != "direct" && name != "transaction" && name != "disposable")
      throw CLI::ValidationError(
          "--mode", "'" + to_printable(name) + "' is not direct, transaction or disposable");
    options.mode = name == "direct"        ? Mode::direct
                   : name == "transaction" ? Mode::transaction
                                           : Mode::disposable;
  };
  CLI::Option* mode =
      command
          .add_option_function<std::string>("--mode", set_mode,
                                            "direct (edits stay), transaction (edits wait for "
                                            "commit) or disposable (edits are gone at the end)")
          ->type_name("MODE");
  const auto go_on = [&options](const std::string& id) {
    options.transaction = id;
    options.mode = sandbox::Mode::transaction;
  };
  command
      .add_option_function<std::string>("--transaction", go_on,
                                        "Go on with this transaction, in its mode")
      ->type_name("ID")
      ->excludes(mode);
}

void add_transaction_commands(CLI::App& sandbox, TransactionOptions& options,
                              const std::function<void(TransactionCommand)>& choose) {
  CLI::App* list = sandbox.add_subcommand("list", "Show the transactions that are open");
  add_json(*list, options);
  list->footer("Example:\n  fathom sandbox list");
  CLI::App* changes = sandbox.add_subcommand(
      "changes", "Show what a transaction changes, and what commit would leave out");
  add_id(*changes, options);
  add_policy(*changes, options);
  add_json(*changes, options);
  changes->footer(
      "+ added, - deleted, M modified, m other permission bits, T another type of file.\n"
      "Example:\n  fathom sandbox changes 01JZ0W4CB5Q7S2M3N4P5R6T7V8 --json | jq "
      "'.changes[].path'");
  add_commit(sandbox, options);
  add_discard(sandbox, options);
  const auto on = [&](const char* name, TransactionCommand run) {
    sandbox.get_subcommand(name)->callback([choose, run] { choose(run); });
  };
  on("list", transaction_list);
  on("changes", transaction_changes);
  on("commit", transaction_commit);
  on("discard", transaction_discard);
}

}  // namespace fathom::agents
