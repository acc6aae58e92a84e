#include "policies/policy_layers.hpp"

#include "policies/decide.hpp"
#include "policies/policy_text.hpp"
#include "tests/policies/fixture.hpp"
#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::policies;

namespace {

struct Part {
  std::string body;
  Layer layer;
  Trust trust = Trust::full;
};

EffectivePolicy merged(const std::vector<Part>& parts) {
  PolicyMerge merge(test_context());
  for (const Part& part : parts) {
    const std::string name(name_of(part.layer));
    const LoadContext context = test_context(part.layer == Layer::built_in ? "" : name + ":");
    auto patch = load_policy_patch(document(part.body), name + ".yaml", context);
    if (!patch) FAIL(patch.error().message);
    merge.add(*patch, part.layer, part.trust);
  }
  return std::move(merge).finish();
}

// What a project may not do: its keys, in order.
std::vector<std::string> ignored_keys(const std::string& base, const std::string& project) {
  const EffectivePolicy effective =
      merged({{base, Layer::built_in}, {project, Layer::project, Trust::narrow_only}});
  std::vector<std::string> keys;
  for (const Ignored& ignored : effective.ignored) keys.push_back(ignored.key);
  return keys;
}

const std::string kBase = R"(
filesystem:
  workspace: read
  home: hidden
  read: [~/.cargo]
  hidden: [~/.ssh]
  protected: {deny: [.vscode/], report: [Makefile]}
  caches: [npm]
exec:
  otherwise: ask
  rules:
    - {id: push, verdict: deny, commands: ["git push *"]}
    - {id: git, verdict: allow, commands: ["git *"]}
network:
  loopback: false
  hosts: [a.example]
  private_ranges: [10.0.0.0/8]
env: {pass: [LANG]}
secrets: [{name: A_TOKEN, use: never}]
limits: {memory: 1GiB, cpu_percent: 100, time: 1m}
approvals: {mode: never, never_ask: [network]}
syscalls: strict
require: {fs_write: enforced}
)";

}  // namespace

TEST_CASE("a later layer replaces what it states and nothing else", "[policies]") {
  const EffectivePolicy effective = merged(
      {{kBase, Layer::built_in},
       {"filesystem: {write: [~/.cargo], protected: {report: [.vscode/]}}\n"
        "exec: {rules: [{verdict: ask, commands: [x]}, {id: push, verdict: ask, commands: [\"git "
        "push *\"]}]}\n"
        "network: {hosts: [b.example]}\nenv: {pass: [TZ], drop: [LANG]}\nlimits: {memory: 8GiB}\n",
        Layer::user},
       {"limits: {memory: 2GiB}\nenv: {set: {A: 1}}\n", Layer::command_line}});
  const Policy& policy = effective.policy;
  CHECK(effective.ignored.empty());
  CHECK(policy.filesystem.grants ==
        std::vector<PathGrant>{{"/home/u/.ssh", Access::hidden, "filesystem.hidden[0]"},
                               {"/home/u/.cargo", Access::write, "user:filesystem.write[0]"}});
  CHECK(policy.filesystem.protected_names ==
        std::vector<ProtectedName>{
            {"Makefile", Protection::report, "filesystem.protected.report[0]"},
            {".vscode/", Protection::report, "user:filesystem.protected.report[0]"}});
  REQUIRE(policy.exec.rules.size() == 3);
  CHECK(policy.exec.rules[0].id == "user:exec.rules[0]");
  CHECK(policy.exec.rules[1] == ExecRule{"push", Verdict::ask, {"git push *"}, ""});
  CHECK(policy.exec.rules[2].id == "git");
  CHECK(policy.network.hosts[0].host == "b.example");
  CHECK(policy.network.hosts[1].host == "a.example");
  CHECK(policy.env.pass == std::vector<std::string>{"TZ"});
  CHECK(policy.limits.memory_bytes == 2ULL << 30);
  CHECK(policy.limits.time == std::chrono::minutes(1));

  const auto origin = [&](const char* key) { return to_string(effective.origins.at(key)); };
  CHECK(origin("limits.memory") == "command-line (command-line.yaml:4)");
  CHECK(origin("limits.time") == "built-in (built-in.yaml)");
  CHECK(origin("filesystem.paths /home/u/.cargo") == "user (user.yaml:4)");
  CHECK(origin("exec.rules push") == "user (user.yaml:5)");
  CHECK(origin("env.pass TZ") == "user (user.yaml:7)");
}

TEST_CASE("hosts: [] drops the hosts of the layers below", "[policies]") {
  const auto hosts = [](const std::string& body, Trust trust) {
    return merged({{kBase, Layer::built_in}, {body, Layer::project, trust}})
        .policy.network.hosts.size();
  };
  CHECK(hosts("network: {hosts: []}\n", Trust::full) == 0);
  CHECK(hosts("network: {hosts: []}\n", Trust::narrow_only) == 0);
  CHECK(hosts("network: {}\n", Trust::full) == 1);
}

TEST_CASE("a project cannot widen anything, and what it tried is recorded", "[policies]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"filesystem: {workspace: write}\n", "filesystem.workspace"},
      {"filesystem: {home: read}\n", "filesystem.home"},
      {"filesystem: {write: [/opt/x]}\n", "filesystem.paths /opt/x"},
      {"filesystem: {write: [~/.cargo]}\n", "filesystem.paths /home/u/.cargo"},
      {"filesystem: {write: [src]}\n", "filesystem.paths /home/u/w/src"},
      {"filesystem: {read: [~/.ssh]}\n", "filesystem.paths /home/u/.ssh"},
      {"filesystem: {read: [~/.ssh/known_hosts]}\n", "filesystem.paths /home/u/.ssh/known_hosts"},
      {"filesystem: {read: [~/x]}\n", "filesystem.paths /home/u/x"},
      {"filesystem: {protected: {report: [.vscode/]}}\n", "filesystem.protected .vscode/"},
      {"filesystem: {caches: [npm, go]}\n", "filesystem.caches"},
      {"exec: {otherwise: allow}\n", "exec.otherwise"},
      {"exec: {rules: [{id: x, verdict: allow, commands: [\"*\"]}]}\n", "exec.rules x"},
      {"network: {loopback: true}\n", "network.loopback"},
      {"network: {hosts: [{id: x, host: b.example}]}\n", "network.hosts x"},
      {"network: {private_ranges: [10.0.0.0/8, 192.168.0.0/16]}\n", "network.private_ranges"},
      {"network: {host_loopback_ports: [22]}\n", "network.host_loopback_ports"},
      {"network: {unix_sockets: [/run/docker.sock]}\n", "network.unix_sockets"},
      {"env: {pass: [EDITOR]}\n", "env.pass EDITOR"},
      {"env: {set: {LD_PRELOAD: x.so}}\n", "env.set LD_PRELOAD"},
      {"secrets: [{name: A_TOKEN, use: per_call}]\n", "secrets A_TOKEN"},
      {"secrets: [{name: B_TOKEN, use: per_call}]\n", "secrets B_TOKEN"},
      {"limits: {memory: 2GiB}\n", "limits.memory"},
      {"limits: {cpu_percent: 200}\n", "limits.cpu_percent"},
      {"limits: {cpu_percent: 0}\n", "limits.cpu_percent"},
      {"limits: {time: 2m}\n", "limits.time"},
      {"approvals: {mode: ask}\n", "approvals.mode"},
      {"syscalls: build\n", "syscalls"},
      {"syscalls: debug\n", "syscalls"},
      {"require: {fs_write: none}\n", "require.fs_write"},
      {"require: {network: best_effort}\n", "require.network"},
  };
  const EffectivePolicy base = merged({{kBase, Layer::built_in}});
  for (const auto& [project, key] : cases) {
    INFO(project);
    const EffectivePolicy effective =
        merged({{kBase, Layer::built_in}, {project, Layer::project, Trust::narrow_only}});
    REQUIRE(effective.ignored.size() == 1);
    CHECK(effective.ignored[0].key == key);
    CHECK(effective.ignored[0].origin ==
          Origin{Layer::project, "project.yaml", {4, effective.ignored[0].origin.at.column}});
    CHECK(policy_diff(base.policy, effective.policy).empty());
    // With a pin, the same words count.
    const EffectivePolicy pinned =
        merged({{kBase, Layer::built_in}, {project, Layer::project, Trust::full}});
    CHECK(pinned.ignored.empty());
    CHECK_FALSE(policy_diff(base.policy, pinned.policy).empty());
  }
}

TEST_CASE("a project can narrow everything", "[policies]") {
  const std::string base =
      "filesystem: {home: read, caches: [npm, go]}\nenv: {pass: [LANG, TZ]}\n"
      "network: {hosts: [a.example], private_ranges: [10.0.0.0/8]}\n"
      "secrets: [{name: A_TOKEN, use: per_call}]\n";
  CHECK(ignored_keys(base, R"(
filesystem:
  workspace: read
  home: hidden
  read: [src]
  hidden: [secret, /opt]
  protected: {deny: [Makefile, x], report: [new]}
  caches: [go]
exec:
  otherwise: deny
  rules: [{verdict: deny, commands: [a]}]
  restrict: [{verdict: ask, commands: [b]}]
network: {loopback: false, hosts: [{host: a.example, verdict: ask}], private_ranges: []}
env: {drop: [TZ], pass: [LANG]}
secrets: [{name: A_TOKEN, use: never}, {name: B_TOKEN, use: never}]
limits: {memory: 1GiB, pids: 5, cpu_percent: 50, fds: 64, disk: 1GiB, tmp: 1GiB, output: 1MiB,
  time: 1s}
approvals: {mode: never, never_ask: [exec]}
syscalls: strict
require: {fs_read: enforced, network: enforced}
)")
            .empty());
}

TEST_CASE("a project's rule never stands in front of a user's denial", "[policies]") {
  const EffectivePolicy effective =
      merged({{kBase, Layer::built_in},
              {"exec: {rules: [{verdict: ask, commands: [\"git *\"]}, {id: push, verdict: ask, "
               "commands: [\"git push *\"]}]}\n"
               "network: {hosts: [{verdict: ask, host: b.example}]}\n",
               Layer::project, Trust::narrow_only}});
  Policy policy = effective.policy;
  policy.approvals.mode = ApprovalMode::ask;
  policy.approvals.never_ask.clear();
  const auto verdict = [&](std::vector<std::string> argv) {
    return decide(policy, request::Exec{std::move(argv), "/"}).verdict;
  };
  CHECK(verdict({"git", "push"}) == Verdict::deny);
  CHECK(verdict({"git", "log"}) == Verdict::ask);  // the base allows it
  CHECK(decide(policy, request::Connect{"b.example", 443, Phase::agent}).verdict == Verdict::deny);
  CHECK(policy.exec.rules.size() == 2);
  CHECK(policy.exec.restrict[1].id == "push");
  CHECK(effective.origins.at("exec.restrict push").layer == Layer::project);
}

TEST_CASE("whatever a project states, no request gets more than before", "[policies]") {
  // Every single line of a wide document on its own, and all requests that the base decides about.
  const std::vector<std::string> lines = {
      "filesystem: {write: [/opt/x, ~/.cargo, src], read: [~/.ssh, ~/y]}\n",
      "filesystem: {hidden: [~/.cargo/registry], read: [~/.cargo/bin]}\n",
      "exec: {otherwise: deny, rules: [{verdict: ask, commands: [\"git push *\"]}, {verdict: "
      "allow, "
      "commands: [\"*\"]}]}\n",
      "network: {hosts: [a.example, b.example, {host: \"*.b.example\", verdict: ask}]}\n",
      "network: {hosts: [], loopback: true}\n",
  };
  const std::vector<Request> requests = {request::ReadPath{"/home/u/.ssh/x"},
                                         request::ReadPath{"/home/u/.cargo/bin/x"},
                                         request::ReadPath{"/home/u/y"},
                                         request::ReadPath{"/usr/x"},
                                         request::ReadPath{"/home/u/.cargo/registry/x"},
                                         request::WritePath{"/home/u/w/src/x"},
                                         request::WritePath{"/opt/x"},
                                         request::WritePath{"/home/u/.cargo/x"},
                                         request::Exec{{"git", "push"}, "/"},
                                         request::Exec{{"git", "log"}, "/"},
                                         request::Exec{{"ls"}, "/"},
                                         request::Connect{"a.example", 443, Phase::test},
                                         request::Connect{"b.example", 443, Phase::test},
                                         request::Connect{"x.b.example", 443, Phase::test},
                                         request::Connect{"localhost", 80, Phase::test}};
  const Policy base = merged({{kBase, Layer::built_in}}).policy;
  for (const std::string& line : lines) {
    const Policy narrowed =
        merged({{kBase, Layer::built_in}, {line, Layer::project, Trust::narrow_only}}).policy;
    for (const Request& request : requests) {
      INFO(line << " request " << &request - requests.data());
      CHECK(decide(narrowed, request).verdict >= decide(base, request).verdict);
    }
  }
}

TEST_CASE("a project's narrow grant does not outlive a higher layer's narrower word",
          "[policies]") {
  const auto access = [](const std::string& project, const std::string& command_line,
                         const char* path) {
    const Policy policy = merged({{"", Layer::built_in},
                                  {project, Layer::project, Trust::narrow_only},
                                  {command_line, Layer::command_line}})
                              .policy;
    return decide(policy, request::WritePath{path}).verdict == Verdict::allow  ? Access::write
           : decide(policy, request::ReadPath{path}).verdict == Verdict::allow ? Access::read
                                                                               : Access::hidden;
  };
  const char* path = "/home/u/w/src/x";
  const std::string writes = "filesystem: {write: [src]}\n";
  const std::string reads = "filesystem: {read: [src]}\n";
  CHECK(access(writes, "", path) == Access::write);
  CHECK(access(writes, "filesystem: {workspace: read}\n", path) == Access::read);
  CHECK(access(reads, "", path) == Access::read);
  CHECK(access(reads, "filesystem: {workspace: read}\n", path) == Access::read);
  CHECK(access(reads, "filesystem: {hidden: [\"${workspace}\"]}\n", path) == Access::hidden);
  // And the command line may take back what the project narrowed.
  CHECK(access(reads, "filesystem: {write: [src]}\n", path) == Access::write);
  CHECK(access("filesystem: {hidden: [src]}\n", "filesystem: {workspace: write}\n", path) ==
        Access::hidden);
}
