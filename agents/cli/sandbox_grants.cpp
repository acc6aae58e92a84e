#include "agents/cli/sandbox_grants.hpp"

#include "policies/environment.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/environment.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace fathom::agents {
namespace {

using Json = nlohmann::ordered_json;
using sandbox::Approval;
using sandbox::Decider;
using sandbox::Escalation;

Json to_json(const Escalation& escalation) {
  Json kinds = Json::array();
  for (const sandbox::Widening kind : escalation.kinds) kinds.push_back(name_of(kind));
  Json changes = Json::array();
  for (const policies::PolicyChange& change : escalation.changes)
    changes.push_back({{"key", to_valid_utf8(change.key)},
                       {"before", to_valid_utf8(change.before)},
                       {"after", to_valid_utf8(change.after)}});
  return {{"binding", escalation.binding}, {"kinds", kinds}, {"changes", changes}};
}

// Yes only by "y" or "yes": everything else, the end of the input too, is no.
bool person_says_yes(const Escalation& escalation, const SandboxOptions& options) {
  std::string text = "fathom: this command asks for more than the policy allows:\n ";
  for (const std::string& word : options.command) text += " " + to_printable(word);
  text += "\n" + escalation.diff();
  if (!escalation.reason.empty()) text += "its reason: " + to_printable(escalation.reason) + "\n";
  text += "allow it for this one run? [y/N] ";
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  std::string answer;
  constexpr std::size_t kAnswerBytesMax = 16;
  for (int c = std::getchar(); c != EOF && c != '\n'; c = std::getchar())
    if (answer.size() < kAnswerBytesMax) answer += static_cast<char>(c);
  return answer == "y" || answer == "yes";
}

bool has_person() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1; }

ExitCode say_no(const Escalation& escalation, Approval approval, const SandboxOptions& options,
                Terminal& terminal) {
  if (options.json) {
    terminal.out(Json({{"ending", "not_started"},
                       {"verdict", approval == Approval::pending ? "ask" : "deny"},
                       {"escalation", to_json(escalation)}})
                     .dump() +
                 "\n");
    return ExitCode::denied;
  }
  if (approval == Approval::pending)
    terminal.note("needs approval (--yes gives it):\n" + escalation.diff());
  else if (approval == Approval::denied)
    terminal.note("denied: the policy's approvals let nobody be asked for this");
  else
    terminal.note("not approved: nothing has run");
  return ExitCode::denied;
}

// What the command will get of ours. Values of secrets are not part of it: their names stand in the
// diff, and a digest that is shown must not let anybody try out values.
std::vector<policies::EnvironmentVariable> passed_environment(const policies::Policy& policy) {
  std::vector<policies::EnvironmentVariable> passed;
  for (const std::string& entry : sandbox::process_environment()) {
    const std::size_t end = entry.find('=');
    if (end == std::string::npos) continue;
    std::string name = entry.substr(0, end);
    if (name == "PATH" || policies::passes(policy.env, name))
      passed.push_back({std::move(name), entry.substr(end + 1)});
  }
  std::ranges::sort(passed, {}, &policies::EnvironmentVariable::name);
  return passed;
}

}  // namespace

Result<GrantAnswer> ask_for_grants(const SandboxOptions& options, const policies::Policy& policy,
                                   const policies::LoadContext& context, Terminal& terminal) {
  sandbox::EscalationRequest request;
  request.argv = options.command;
  request.working_dir = context.workspace;
  request.environment = passed_environment(policy);
  request.mode = options.mode;
  request.grants = options.grants;
  request.reason = options.reason;
  Escalation escalation = TRY(sandbox::plan_escalation(policy, request, context));
  sandbox::ApprovalLedger ledger;
  Approval approval = TRY(ledger.ask(escalation, policy));
  if (approval == Approval::pending) {
    const bool asked = !options.yes && !options.json && has_person();
    if (options.yes || (asked && person_says_yes(escalation, options))) {
      TRY(ledger.approve(escalation.binding, Decider::person));
    } else if (asked) {
      TRY(ledger.reject(escalation.binding));
      approval = Approval::rejected;
    }
  }
  if (!ledger.take(escalation.binding))
    return GrantAnswer{std::nullopt, say_no(escalation, approval, options, terminal)};
  return GrantAnswer{std::move(escalation), ExitCode::ok};
}

std::string with_grants(const std::string& outcome, const Escalation& escalation) {
  Json json = Json::parse(outcome);
  json["escalation"] = to_json(escalation);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fathom::agents
