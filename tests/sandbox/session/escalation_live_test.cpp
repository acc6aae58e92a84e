// From a denial of a real run to the same command under the policy that the denial asked for.
#include "policies/decide.hpp"
#include "sandbox/escalation.hpp"
#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

namespace fathom::sandbox {
namespace {

using test::SandboxFixture;
using test::shell_command;

policies::LoadContext context_of(const SandboxFixture& box) {
  return {box.workspace(), box.home(), {box.state()}, ""};
}

Escalation approved(const SandboxFixture& box, const policies::Policy& policy,
                    const Command& command, const std::string& grant) {
  EscalationRequest request;
  request.argv = command.argv;
  request.working_dir = box.workspace();
  request.grants = {grant};
  auto escalation = plan_escalation(policy, request, context_of(box));
  INFO(grant);
  INFO((escalation ? "" : escalation.error().message));
  REQUIRE(escalation);
  ApprovalLedger ledger;
  REQUIRE(ledger.ask(*escalation, policy).value() == Approval::pending);
  REQUIRE(ledger.approve(escalation->binding, Decider::person));
  REQUIRE(ledger.take(escalation->binding));
  return *std::move(escalation);
}

policies::Policy policy_of(const SandboxFixture& box) {
  policies::Policy policy;
  policy.filesystem.workspace_root = box.workspace();
  policy.filesystem.home_root = box.home();
  return policy;
}

TEST_CASE("a secret file is read after an approval of just that", "[sandbox]") {
  SandboxFixture box;
  const policies::Policy policy = policy_of(box);
  const std::string key = box.home() + "/.ssh/id_rsa";
  const Command command = shell_command("cat ~/.ssh/id_rsa; ls -A ~/.ssh ~");
  CHECK(box.run(command).out.text().find("SECRET-KEY") == std::string::npos);

  const policies::Decision denied = policies::decide(policy, policies::request::ReadPath{key});
  const Escalation escalation = approved(box, policy, command, denied.grant);
  box.reopen([&](LauncherOptions& options) { options.policy = escalation.widened; });
  CHECK(box.run(command).out.text().starts_with("SECRET-KEY\n"));
  CHECK(box.sh("echo x > ~/.ssh/id_rsa").exit_code != 0);
}

TEST_CASE("a host that a run was denied is no longer denied after an approval", "[sandbox]") {
  policies::HostRule other;
  other.id = "other";
  other.host = "other.invalid";
  other.ports = {443};
  other.phases = {policies::Phase::setup, policies::Phase::agent, policies::Phase::test};
  SandboxFixture box;
  policies::Policy policy = policy_of(box);
  policy.network.hosts = {other};
  box.reopen([&](LauncherOptions& options) { options.policy = policy; });
  const Command command = shell_command("getent ahostsv4 wanted.invalid; true");
  const Outcome before = box.run(command);
  const auto denial = std::ranges::find_if(
      before.denials, [](const Denial& each) { return each.target.starts_with("wanted.invalid"); });
  REQUIRE(denial != before.denials.end());
  REQUIRE_FALSE(denial->grant.empty());

  const Escalation escalation = approved(box, policy, command, denial->grant);
  CHECK(escalation.kinds == std::vector{Widening::network});
  box.reopen([&](LauncherOptions& options) { options.policy = escalation.widened; });
  const Outcome after = box.run(command);
  CHECK(after.denials.empty());
}

}  // namespace
}  // namespace fathom::sandbox
