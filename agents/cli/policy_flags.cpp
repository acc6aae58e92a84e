#include "agents/cli/policy_flags.hpp"

#include <CLI/CLI.hpp>

namespace fathom::agents {
namespace {

void add_repo(CLI::App& command, PolicyOptions& options) {
  command.add_option("--repo", options.repo, "The workspace")->capture_default_str();
  command.add_flag_callback(
      "--json", [&options] { options.format = ReportFormat::json; }, "One JSON value");
}

void add_policy_option(CLI::App& command, PolicyOptions& options) {
  command.add_option("--policy", options.policy,
                     "default, readonly, ci-repair, or a document to put on top");
}

void add_lint(CLI::App& policy, PolicyOptions& options) {
  CLI::App* lint = policy.add_subcommand("lint", "Check documents, and their rules' examples");
  lint->add_option("FILE", options.files, "Policy documents (.yaml)")->required();
  add_repo(*lint, options);
  lint->footer(
      "Exit code 64 when one is wrong.\nExample:\n  fathom policy lint .fathom/policy.yaml");
}

void add_explain(CLI::App& policy, PolicyOptions& options) {
  CLI::App* explain = policy.add_subcommand(
      "explain", "Show the policy in force, where each value comes from, and what was ignored");
  add_policy_option(*explain, options);
  add_repo(*explain, options);
  explain->footer(
      "Layers, lowest first: built-in, ~/.config/fathom/policy.yaml, REPO/.fathom/policy.yaml\n"
      "(narrows only, unless pinned in ~/.config/fathom/pins), --policy.\n"
      "Examples:\n  fathom policy explain\n"
      "  fathom policy explain --policy ci-repair --json | jq '.ignored'");
}

void add_test(CLI::App& policy, PolicyOptions& options) {
  CLI::App* test = policy.add_subcommand("test", "Decide about one request, with rule and grant");
  add_policy_option(*test, options);
  test->add_option("KIND", options.kind, "exec, read, write, connect or secret")->required();
  test->add_option("WHAT", options.words, "The command, path, HOST[:PORT] or name")->required();
  test->add_option("--phase", options.phase, "Of connect: setup, agent or test")
      ->capture_default_str();
  add_repo(*test, options);
  test->footer(
      "Exit code 0 for allow, 13 for ask and deny.\nExamples:\n"
      "  fathom policy test write src/main.c\n  fathom policy test read ~/.ssh/id_rsa\n"
      "  fathom policy test connect pypi.org --phase setup --policy ci-repair\n"
      "  fathom policy test exec -- git push --force");
}

void add_diff(CLI::App& policy, PolicyOptions& options) {
  CLI::App* diff =
      policy.add_subcommand("diff", "Show what changes when B is asked for in place of A");
  diff->add_option("A", options.before, "As --policy of explain")->required();
  diff->add_option("B", options.after, "As --policy of explain")->required();
  add_repo(*diff, options);
  diff->footer("Example:\n  fathom policy diff default readonly");
}

}  // namespace

void add_policy_commands(CLI::App& app, PolicyOptions& options,
                         const std::function<void(PolicyRun)>& choose) {
  CLI::App* policy =
      app.add_subcommand("policy", "What an agent may do: check, show, ask, compare");
  policy->require_subcommand(1);
  policy->footer(
      "Examples:\n  fathom policy explain\n  fathom policy test write .git/hooks/pre-commit\n"
      "  fathom policy schema > policy.schema.json");
  add_lint(*policy, options);
  add_explain(*policy, options);
  add_test(*policy, options);
  add_diff(*policy, options);
  policy->add_subcommand("schema", "Print the JSON Schema of policy documents, for editors")
      ->footer("Example:\n  fathom policy schema > policy.schema.json");
  const auto on = [&](const char* name, PolicyRun run) {
    policy->get_subcommand(name)->callback([choose, run] { choose(run); });
  };
  on("lint", policy_lint);
  on("explain", policy_explain);
  on("test", policy_test);
  on("diff", policy_diff);
  on("schema", policy_schema);
}

}  // namespace fathom::agents
