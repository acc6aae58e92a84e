#include "sandbox/escalation.hpp"

#include "policies/decide.hpp"
#include "policies/shipped.hpp"
#include "tests/support/catch.hpp"

#include <set>

namespace fathom::sandbox {
namespace {

policies::LoadContext context() {
  return {"/home/u/w", "/home/u", {"/home/u/.config/fathom", "/home/u/.local/state/fathom"}, ""};
}

policies::Policy shipped(std::string_view more = "") {
  std::string text(policies::shipped_policy("default"));
  auto policy = policies::load_policy(text, "default.yaml", context());
  REQUIRE(policy);
  if (!more.empty()) {
    auto patch = policies::load_policy(
        "apiVersion: fathom/v1\nkind: Policy\nname: more\n" + std::string(more) + "\n", "more",
        context());
    REQUIRE(patch);
    policy->network.restrict = patch->network.restrict;
    policy->limits.cpu_percent = patch->limits.cpu_percent;
  }
  return *policy;
}

HostPath no_links(const std::string& path) { return {path, PathType::folder}; }

EscalationRequest request(std::vector<std::string> grants) {
  EscalationRequest made;
  made.argv = {"npm", "install"};
  made.working_dir = "/home/u/w";
  made.grants = std::move(grants);
  made.reason = "the tests need it";
  return made;
}

Escalation planned(const EscalationRequest& asked) {
  auto escalation = plan_escalation(shipped(), asked, context(), no_links);
  INFO((escalation ? "" : escalation.error().message));
  REQUIRE(escalation);
  return *std::move(escalation);
}

std::string refusal(const std::string& grant, const policies::Policy& policy = shipped()) {
  auto escalation = plan_escalation(policy, request({grant}), context(), no_links);
  return escalation ? "(granted)" : escalation.error().message;
}

TEST_CASE("each kind of grant widens what it names and shows it") {
  const std::vector<std::tuple<std::string, Widening, std::string>> grants = {
      {"network: {hosts: [{host: \"a.example\", ports: [8443]}]}", Widening::network,
       "- network.hosts: off\n+ network.hosts grant-1: allow a.example port 8443 in setup agent "
       "test\n"},
      {"filesystem: {read: [\"/home/u/notes\"]}", Widening::fs_read,
       "+ filesystem.paths /home/u/notes: read\n"},
      {"filesystem: {write: [\"/srv/out/x\"]}", Widening::fs_write,
       "+ filesystem.paths /srv/out/x: write\n"},
      {"limits: {memory: 8GiB}", Widening::limit, "- limits.memory: 4GiB\n+ limits.memory: 8GiB\n"},
      {"limits: {time: 20m}", Widening::limit, "- limits.time: 10m\n+ limits.time: 20m\n"},
      {"secrets: [{name: NPM_TOKEN, use: per_call}]", Widening::secret,
       "+ secrets NPM_TOKEN: per_call\n"}};
  for (const auto& [line, kind, diff] : grants) {
    INFO(line);
    const Escalation escalation = planned(request({line}));
    CHECK(escalation.kinds == std::vector{kind});
    CHECK(escalation.diff() == diff);
    CHECK(escalation.reason == "the tests need it");
    CHECK(escalation.binding.size() == 64);
  }
}

TEST_CASE("a hidden file that a denial named becomes readable, and nothing beside it") {
  const policies::Policy policy = shipped();
  const policies::request::ReadPath read{"/home/u/.aws/config"};
  const policies::Decision denied = policies::decide(policy, read);
  REQUIRE(denied.verdict == policies::Verdict::deny);
  const Escalation escalation = planned(request({denied.grant}));
  CHECK(policies::decide(escalation.widened, read).verdict == policies::Verdict::allow);
  CHECK(
      policies::decide(escalation.widened, policies::request::ReadPath{"/home/u/.aws/credentials"})
          .verdict == policies::Verdict::deny);
  CHECK(policies::decide(escalation.widened, policies::request::WritePath{"/home/u/.aws/config"})
            .verdict == policies::Verdict::deny);
}

TEST_CASE("several grants are one escalation with all their kinds") {
  const Escalation escalation =
      planned(request({"network: {hosts: [a.example]}", "limits: {pids: 5000}",
                       "filesystem: {read: [/home/u/n]}"}));
  CHECK(escalation.kinds == std::vector{Widening::network, Widening::limit, Widening::fs_read});
  CHECK(escalation.widened.limits.pids == 5000);
  CHECK(escalation.widened.require == shipped().require);
}

TEST_CASE("what would weaken the sandbox itself is no grant") {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"require: {network: none}", "require is never lowered"},
      {"require: {tree_kill: none}", "require is never lowered"},
      {"filesystem: {protected: {report: [.vscode/]}}", "protected names stay protected"},
      {"filesystem: {home: read}", "name the path"},
      {"filesystem: {workspace: write}", "name the path"},
      {"exec: {otherwise: allow}", "rules about commands"},
      {"exec: {rules: [{id: x, verdict: allow, commands: [sudo *]}]}", "rules about commands"},
      {"syscalls: debug", "system calls"},
      {"approvals: {mode: ask}", "approvals cannot"},
      {"env: {pass: [EDITOR]}", "variables are given"},
      {"network: {loopback: true}", "only hosts"},
      {"network: {private_ranges: [10.0.0.0/8]}", "only hosts"},
      {"network: {host_loopback_ports: [5432]}", "only hosts"},
      {"network: {unix_sockets: [/run/docker.sock]}", "only hosts"},
      {"network: {hosts: []}", "only hosts"},
      {"network: {hosts: [\"*.example.com\"]}", "name one"},
      {"network: {hosts: [{host: a.example, verdict: deny}]}", "allows no host"},
      {"network: {hosts: [a.example, b.example]}", "states 2 things"},
      {"filesystem: {read: [/home/u/a], write: [/srv/b/c]}", "states 2 things"},
      {"filesystem: {hidden: [/srv]}", "hides a path"},
      {"filesystem: {caches: []}", "states 0 things"},
      {"secrets: [{name: NPM_TOKEN, use: never}]", "gives no secret"},
      {"filesystem: {read: [/home/u/.config/fathom/policy.yaml]}", "Fathom's own files"},
      {"filesystem: {read: [/home/u]}", "is the home directory"},
      {"filesystem: {read: [/]}", "is everything"},
      {"filesystem: {write: [/home/u/w/.git/hooks]}", "run git to change it"},
      {"filesystem: {write: [/home/u/w/a/.vscode]}", "protected name"},
      {"sandbox: none", "unknown key"},
      {"{}", "end of map not found"},
      {"", "states 0 things"},
      {"name: x", ""}};
  for (const auto& [line, why] : refused) {
    INFO(line);
    const std::string message = refusal(line);
    INFO(message);
    CHECK(message.starts_with("grant 1: '"));
    CHECK(message.find(why) != std::string::npos);
  }
}

TEST_CASE("a grant cannot bring lines of its own, and is bounded") {
  CHECK(
      refusal("limits: {memory: 8GiB}\nrequire: {network: none}").ends_with("more than one line"));
  CHECK(refusal("limits: {memory: 8GiB}\rrequire: {}").ends_with("more than one line"));
  CHECK(refusal("filesystem: {read: [/" + std::string(2000, 'x') + "]}").ends_with("1024 bytes"));
  EscalationRequest many =
      request(std::vector<std::string>(kEscalationGrantsMax + 1, "network: {hosts: [a.example]}"));
  CHECK_FALSE(plan_escalation(shipped(), many, context(), no_links));
  EscalationRequest wordy = request({"limits: {memory: 8GiB}"});
  wordy.reason.assign(kEscalationReasonBytesMax + 1, 'x');
  CHECK_FALSE(plan_escalation(shipped(), wordy, context(), no_links));
  EscalationRequest nothing = request({});
  CHECK_FALSE(plan_escalation(shipped(), nothing, context(), no_links));
  EscalationRequest no_command = request({"limits: {memory: 8GiB}"});
  no_command.argv.clear();
  CHECK_FALSE(plan_escalation(shipped(), no_command, context(), no_links));
}

TEST_CASE("what is allowed already, and a limit that is not higher, is no grant") {
  for (const char* line : {"filesystem: {read: [/usr/lib/x]}",
                           "filesystem: {write: [/home/u/w/src]}", "filesystem: {caches: [npm]}"}) {
    INFO(line);
    CHECK(refusal(line).ends_with("allows nothing that is not allowed already"));
  }
  for (const char* line : {"limits: {memory: 4GiB}", "limits: {memory: 1GiB}", "limits: {pids: 10}",
                           "limits: {cpu_percent: 100}", "limits: {cpu_percent: 0}"}) {
    INFO(line);
    CHECK(refusal(line).ends_with("not higher than the policy's"));
  }
  const policies::Policy half = shipped("limits: {cpu_percent: 50}");
  CHECK(refusal("limits: {cpu_percent: 50}", half).ends_with("not higher than the policy's"));
  CHECK(refusal("limits: {cpu_percent: 100}", half) == "(granted)");
  CHECK(refusal("limits: {cpu_percent: 0}", half) == "(granted)");
}

TEST_CASE("a restriction of the project is not lifted by a grant") {
  const policies::Policy policy =
      shipped("network: {restrict: [{host: a.example, verdict: deny}]}");
  CHECK(refusal("network: {hosts: [a.example]}", policy).find("would still not be allowed") !=
        std::string::npos);
  CHECK(refusal("network: {hosts: [b.example]}", policy) == "(granted)");
}

TEST_CASE("a path that leads elsewhere over a link is not approved under its name") {
  const auto link = [](const std::string& path) {
    return path == "/home/u/notes" ? HostPath{"/home/u/.ssh", PathType::folder} : no_links(path);
  };
  const auto escalation =
      plan_escalation(shipped(), request({"filesystem: {read: [/home/u/notes]}"}), context(), link);
  REQUIRE_FALSE(escalation);
  CHECK(escalation.error().message.ends_with("leads to /home/u/.ssh: ask for that"));
}

TEST_CASE("whatever changes but the reason makes another binding") {
  const EscalationRequest first = request({"network: {hosts: [a.example]}"});
  std::vector<EscalationRequest> others(12, first);
  others[0].argv = {"npm", "install", ""};
  others[1].argv = {"npm install"};
  others[2].argv = {"npminstall"};
  others[3].argv = {"npm", "Install"};
  others[4].working_dir = "/home/u/w/x";
  others[5].environment = {{"A", "b"}};
  others[6].environment = {{"A", "c"}};
  others[7].environment = {{"Ab", ""}};
  others[8].mode = Mode::disposable;
  others[9].grants = {"network: {hosts: [b.example]}"};
  others[10].grants = {"network: {hosts: [{host: a.example, ports: [80]}]}"};
  others[11].grants = {"network: {hosts: [a.example]}", "limits: {memory: 8GiB}"};
  std::set<std::string> bindings{planned(first).binding};
  for (const EscalationRequest& other : others)
    CHECK(bindings.insert(planned(other).binding).second);
  policies::Policy policy = shipped();
  policy.limits.pids += 1;
  const auto under_another = plan_escalation(policy, first, context(), no_links);
  REQUIRE(under_another);
  CHECK(bindings.insert(under_another->binding).second);
  EscalationRequest reworded = first;
  reworded.reason = "please, it is urgent";
  CHECK(planned(reworded).binding == planned(first).binding);
}

TEST_CASE("an approval is good for one run and bound to what was asked") {
  ApprovalLedger ledger;
  const policies::Policy policy = shipped();
  const Escalation asked = planned(request({"network: {hosts: [a.example]}"}));
  CHECK_FALSE(ledger.take(asked.binding));
  CHECK_FALSE(ledger.approve(asked.binding, Decider::person));
  CHECK(ledger.ask(asked, policy).value() == Approval::pending);
  CHECK_FALSE(ledger.take(asked.binding));
  REQUIRE(ledger.approve(asked.binding, Decider::person));
  CHECK_FALSE(ledger.approve(asked.binding, Decider::person));
  const Escalation other = planned(request({"network: {hosts: [b.example]}"}));
  CHECK_FALSE(ledger.take(other.binding));
  CHECK(ledger.take(asked.binding));
  CHECK_FALSE(ledger.take(asked.binding));
  CHECK(ledger.ask(asked, policy).value() == Approval::pending);
}

TEST_CASE("what was rejected stays rejected, however the reason is worded") {
  ApprovalLedger ledger;
  const policies::Policy policy = shipped();
  EscalationRequest asked = request({"network: {hosts: [a.example]}"});
  CHECK(ledger.ask(planned(asked), policy).value() == Approval::pending);
  REQUIRE(ledger.reject(planned(asked).binding));
  asked.reason = "the user has agreed to it";
  CHECK(ledger.ask(planned(asked), policy).value() == Approval::rejected);
  CHECK_FALSE(ledger.approve(planned(asked).binding, Decider::person));
  CHECK_FALSE(ledger.take(planned(asked).binding));
  CHECK_FALSE(ledger.reject("unknown"));
}

TEST_CASE("nothing that decides by itself can approve") {
  ApprovalLedger ledger;
  const Escalation asked = planned(request({"limits: {memory: 8GiB}"}));
  CHECK(ledger.ask(asked, shipped()).value() == Approval::pending);
  const Result<> approved = ledger.approve(asked.binding, Decider::automatic);
  REQUIRE_FALSE(approved);
  CHECK(approved.error().code == ErrorCode::permission);
  CHECK_FALSE(ledger.take(asked.binding));
}

TEST_CASE("where the policy lets nobody be asked the answer is no at once") {
  ApprovalLedger ledger;
  policies::Policy policy = shipped();
  const Escalation network = planned(request({"network: {hosts: [a.example]}"}));
  const Escalation both =
      planned(request({"limits: {memory: 8GiB}", "network: {hosts: [a.example]}"}));
  const Escalation read = planned(request({"filesystem: {read: [/home/u/n]}"}));
  policy.approvals.never_ask = {"network"};
  CHECK(ledger.ask(network, policy).value() == Approval::denied);
  CHECK(ledger.ask(both, policy).value() == Approval::denied);
  CHECK(ledger.ask(read, policy).value() == Approval::pending);
  policy.approvals = {policies::ApprovalMode::never, {}};
  CHECK(ledger.ask(read, policy).value() == Approval::denied);
  CHECK_FALSE(ledger.approve(network.binding, Decider::person));
}

TEST_CASE("a session asks for a bounded number of things") {
  ApprovalLedger ledger;
  Escalation asked = planned(request({"limits: {memory: 8GiB}"}));
  for (std::size_t i = 0; i < kLedgerEntriesMax; ++i) {
    asked.binding = std::to_string(i);
    REQUIRE(ledger.ask(asked, shipped()).has_value());
  }
  asked.binding = "one more";
  CHECK(ledger.ask(asked, shipped()).error().code == ErrorCode::too_large);
  asked.binding = "0";
  CHECK(ledger.ask(asked, shipped()).value() == Approval::pending);
}

}  // namespace
}  // namespace fathom::sandbox
