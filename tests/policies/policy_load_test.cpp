#include "policies/policy_load.hpp"

#include "tests/policies/fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

using namespace fathom;
using namespace fathom::policies;

namespace {

Policy load(const std::string& body) {
  const auto policy = load_policy(document(body), "p.yaml", test_context());
  if (!policy) FAIL(policy.error().message);
  return *policy;
}

void check_errors(const std::vector<std::pair<std::string, std::string>>& cases) {
  for (const auto& [body, expected] : cases) {
    const std::string error = load_error(body);
    INFO(body);
    CHECK(error == "p.yaml: " + expected);
  }
}

}  // namespace

TEST_CASE("a document that states nothing is the default value", "[policies]") {
  Policy expected;
  expected.name = "mine";
  expected.filesystem.workspace_root = "/home/u/w";
  expected.filesystem.home_root = "/home/u";
  CHECK(load("") == expected);
}

TEST_CASE("every section is read", "[policies]") {
  const Policy policy = load(R"(
filesystem:
  workspace: read
  home: read
  read: [~/.cargo, {path: /opt/x, id: opt}]
  write: [out, "${workspace}/b//c/./"]
  hidden: [/srv]
  protected: {deny: [.vscode/], report: [{pattern: "*.mk", id: mk}]}
  caches: [npm, go]
exec:
  otherwise: ask
  rules: [{id: r, verdict: deny, commands: ["git push *", x], reason: why}]
  restrict: [{verdict: ask, commands: [z]}]
network:
  loopback: false
  hosts: [Example.COM, {host: "*.a.example", verdict: ask, ports: [80], phases: [test]}]
  restrict: [b.example]
  private_ranges: [10.1.0.0/16]
  host_loopback_ports: [5432]
  unix_sockets: [/run/x.sock]
env: {pass: [LANG, LC_*], set: {A: "1", B: 2}}
secrets: [{name: NPM_TOKEN, use: per_call}]
limits: {memory: 1GiB, pids: 7, cpu_percent: 150, fds: 99, disk: 2MiB, tmp: 3MiB, output: 4KiB,
  time: 90s}
approvals: {mode: never, never_ask: [network]}
syscalls: strict
require: {fs_read: best_effort, network: none}
)");
  const Filesystem& filesystem = policy.filesystem;
  CHECK(filesystem.workspace == Access::read);
  CHECK(filesystem.home == Access::read);
  CHECK(filesystem.grants ==
        std::vector<PathGrant>{{"/srv", Access::hidden, "filesystem.hidden[0]"},
                               {"/home/u/.cargo", Access::read, "filesystem.read[0]"},
                               {"/opt/x", Access::read, "opt"},
                               {"/home/u/w/out", Access::write, "filesystem.write[0]"},
                               {"/home/u/w/b/c", Access::write, "filesystem.write[1]"}});
  CHECK(filesystem.protected_names ==
        std::vector<ProtectedName>{{".vscode/", Protection::deny, "filesystem.protected.deny[0]"},
                                   {"*.mk", Protection::report, "mk"}});
  CHECK(filesystem.caches == std::vector<std::string>{"npm", "go"});
  CHECK(policy.exec.otherwise == Verdict::ask);
  CHECK(policy.exec.rules ==
        std::vector<ExecRule>{{"r", Verdict::deny, {"git push *", "x"}, "why"}});
  CHECK(policy.exec.restrict ==
        std::vector<ExecRule>{{"exec.restrict[0]", Verdict::ask, {"z"}, ""}});
  const std::vector<Phase> all = {Phase::setup, Phase::agent, Phase::test};
  CHECK_FALSE(policy.network.loopback);
  CHECK(policy.network.hosts ==
        std::vector<HostRule>{
            {"network.hosts[0]", Verdict::allow, "example.com", {443}, all},
            {"network.hosts[1]", Verdict::ask, "*.a.example", {80}, {Phase::test}}});
  CHECK(policy.network.restrict ==
        std::vector<HostRule>{{"network.restrict[0]", Verdict::deny, "b.example", {443}, all}});
  CHECK(policy.network.private_ranges == std::vector<std::string>{"10.1.0.0/16"});
  CHECK(policy.network.host_loopback_ports == std::vector<std::uint16_t>{5432});
  CHECK(policy.network.unix_sockets == std::vector<std::string>{"/run/x.sock"});
  CHECK(policy.env.pass == std::vector<std::string>{"LANG", "LC_*"});
  CHECK(policy.env.set == std::vector<EnvironmentVariable>{{"A", "1"}, {"B", "2"}});
  CHECK(policy.secrets == std::vector<Secret>{{"NPM_TOKEN", SecretUse::per_call}});
  CHECK(policy.limits == Limits{.memory_bytes = 1ULL << 30,
                                .pids = 7,
                                .cpu_percent = 150,
                                .fds = 99,
                                .disk_bytes = 2ULL << 20,
                                .tmp_bytes = 3ULL << 20,
                                .output_bytes = 4096,
                                .time = std::chrono::seconds(90)});
  CHECK(policy.approvals == Approvals{ApprovalMode::never, {"network"}});
  CHECK(policy.syscalls == SyscallProfile::strict);
  std::vector<Strength> require = Policy::default_require();
  require[static_cast<std::size_t>(Guarantee::fs_read)] = Strength::best_effort;
  require[static_cast<std::size_t>(Guarantee::network)] = Strength::none;
  CHECK(policy.require == require);
}

TEST_CASE("a wrong header says what is read here", "[policies]") {
  const auto error = [](const char* text) {
    return load_policy(text, "p.yaml", test_context()).error().message;
  };
  CHECK(error("") ==
        "p.yaml: line 1: column 1: nothing where a mapping should be (write 'key: "
        "value' lines)");
  CHECK(error("kind: Policy\n") ==
        "p.yaml: line 1: column 1: 'apiVersion' is missing (add 'apiVersion: …')");
  CHECK(error("apiVersion: fathom/v2\nkind: Policy\nname: x\n") ==
        "p.yaml: line 1: column 13: apiVersion: this version reads 'fathom/v1'");
  CHECK(error("apiVersion: fathom/v1\nkind: Agent\nname: x\n") ==
        "p.yaml: line 2: column 7: kind: 'Agent' is no policy (write 'kind: Policy')");
  CHECK(error("apiVersion: fathom/v1\nkind: Policy\nname: My Policy\n")
            .find("column 7: name: a name has small letters") != std::string::npos);
}

TEST_CASE("an unknown key or word is answered with the nearest", "[policies]") {
  check_errors({
      {"exce: {}\n", "line 4: column 1: unknown key 'exce' (did you mean 'exec'?)"},
      {"exec:\n  rules:\n    - {verdict: alow, commands: [x]}\n",
       "line 6: column 17: exec.rules[0].verdict: unknown word 'alow' (did you mean 'allow'?)"},
      {"exec:\n  rules:\n    - {verdict: allow, comands: [x]}\n",
       "line 6: column 24: exec.rules[0]: unknown key 'comands' (did you mean 'commands'?)"},
      {"filesystem: {read: [{path: x, confirm_wide: true}]}\n",
       "line 4: column 31: filesystem.read[0]: unknown key 'confirm_wide' (one of: path, id, "
       "match, "
       "no_match)"},
      {"require: {fs_wrte: enforced}\n",
       "line 4: column 11: require: unknown key 'fs_wrte' (did you mean 'fs_write'?)"},
      {"filesystem: {workspace: hidden}\n",
       "line 4: column 25: filesystem.workspace: unknown word 'hidden' (one of: read, write)"},
      {"approvals: {mode: ask, mode: never}\n",
       "line 4: column 24: duplicate key 'mode' (first at line 4): keep one of them"},
  });
}

TEST_CASE("paths that say too much or nothing are refused", "[policies]") {
  const auto write = [](const std::string& path) {
    return load_error("filesystem: {write: [" + path + "]}\n");
  };
  for (const char* path : {"/",
                           "~",
                           "/home",
                           "/home/u",
                           "//",
                           "/./",
                           "\"${workspace}/../x\"",
                           "..",
                           "a/../b",
                           "/opt",
                           "/home/u/.config",
                           "~root/x",
                           "$HOME/x",
                           "\"${HOME}\"",
                           "/a/*",
                           "\"\"",
                           "[x]",
                           "~/.config/fathom",
                           "~/.config/fathom/policy.yaml",
                           "~/.local/state/fathom/journals"}) {
    INFO(path);
    CHECK(write(path).starts_with("p.yaml: line 4: column 22: filesystem.write[0]: "));
  }
  CHECK(write("\"~\"") ==
        "p.yaml: line 4: column 22: filesystem.write[0]: '/home/u' is the home directory: narrow "
        "it, or confirm with {path: '/home/u', confirm_wide: true}");
  CHECK(write("~").find("nothing where text should be") != std::string::npos);
  CHECK(write("..").find("has '..' (write the path that is meant)") != std::string::npos);
  for (const char* path : {"/home/u/x", "x", "\"${workspace}\"", "/opt/x", "~/x", "a..b"})
    CHECK(write(path) == "accepted");
  CHECK(write("~x/y") != "accepted");
  CHECK(write("{path: /, confirm_wide: true}") == "accepted");
  CHECK(write("{path: ~/.config, confirm_wide: true}") == "accepted");
  CHECK(write("{path: ~/.config/fathom, confirm_wide: true}") != "accepted");
  CHECK(write("{path: /, confirm_wide: false}") != "accepted");
  CHECK(load_error("filesystem: {read: [/], hidden: [\"~\"]}\n") == "accepted");
  CHECK(load_error("filesystem: {read: [/opt/a], write: [/opt/a/]}\n")
            .find("'/opt/a' is stated twice") != std::string::npos);
}

TEST_CASE("examples of rules are checked when they are loaded", "[policies]") {
  const auto exec = [](const char* examples) {
    return load_error("exec: {rules: [{id: p, verdict: ask, commands: [\"git push *\"], " +
                      std::string(examples) + "}]}\n");
  };
  CHECK(exec("match: [git push, env A=b git push x], no_match: [git pull]") == "accepted");
  CHECK(exec("match: [git pull]") ==
        "p.yaml: line 4: column 72: exec.rules[0].match[0]: example 'git pull' is not matched by "
        "rule p (correct the rule or the example)");
  CHECK(exec("no_match: [git push]").find("example 'git push' is matched by rule p") !=
        std::string::npos);
  CHECK(exec("match: [a; b]").find("an example is one plain command") != std::string::npos);
  CHECK(load_error("network: {hosts: [{host: \"*.a.example\", match: [x.a.example], "
                   "no_match: [a.example, xa.example]}]}\n") == "accepted");
  CHECK(load_error("network: {hosts: [{host: \"*.a.example\", match: [a.example]}]}\n")
            .find("example 'a.example' is not matched by rule network.hosts[0]") !=
        std::string::npos);
  CHECK(load_error("filesystem: {read: [{path: ~/.x, match: [~/.x/y], no_match: [~/.xy]}]}\n") ==
        "accepted");
  CHECK(load_error("filesystem: {read: [{path: ~/.x, match: [~/.xy]}]}\n")
            .find("is not matched by rule filesystem.read[0]") != std::string::npos);
  CHECK(load_error("filesystem: {protected: {deny: [{pattern: .v/, match: [x.v]}]}}\n")
            .find("is not matched by rule filesystem.protected.deny[0]") != std::string::npos);
}

TEST_CASE("rules that never match, or allow where they cannot, are refused", "[policies]") {
  check_errors({
      {"exec: {rules: [{verdict: ask, commands: []}]}\n",
       "line 4: column 41: exec.rules[0].commands: a rule without commands never matches (add "
       "one)"},
      {"exec: {restrict: [{verdict: allow, commands: [x]}]}\n",
       "line 4: column 29: exec.restrict[0].verdict: a restriction cannot allow (write ask or "
       "deny, "
       "or use 'rules')"},
      {"exec: {rules: [{verdict: ask, commands: [\"git pu*\"]}]}\n",
       "line 4: column 42: exec.rules[0].commands[0]: pattern 'git pu*' has a '*' inside a word "
       "('*' stands for whole words)"},
      {"exec: {rules: [{id: a, verdict: ask, commands: [x]}, {id: a, verdict: ask, commands: "
       "[z]}]}\n",
       "line 4: column 54: exec.rules[1]: a second rule with id 'a' (rename one)"},
      {"network: {hosts: [\"*\"]}\n",
       "line 4: column 19: network.hosts[0]: host '*' is every host (list the hosts, or "
       "'*.example.com' for all below one)"},
      {"network: {hosts: [{host: a.example, ports: []}]}\n",
       "line 4: column 44: network.hosts[0].ports: a rule without ports never matches (remove the "
       "key)"},
      {"network: {hosts: [{host: a.example, ports: [0]}]}\n",
       "line 4: column 45: network.hosts[0].ports[0]: '0' is no number that fits (between 1 and "
       "65535)"},
      {"network: {private_ranges: [10.0.0.1/8]}\n",
       "line 4: column 28: network.private_ranges[0]: '10.0.0.1/8' is no address range (write "
       "10.1.0.0/16 or fd00::/8, without bits behind the prefix)"},
      {"filesystem: {protected: {deny: [\"*\"]}}\n",
       "line 4: column 33: filesystem.protected.deny[0]: '*' is no name below the workspace (write "
       ".vscode/ or a/b.c)"},
  });
  for (const char* pattern : {"/x", "../x", "x//y", "\"**\"", "./x", "/"})
    CHECK(load_error("filesystem: {protected: {deny: [" + std::string(pattern) + "]}}\n") !=
          "accepted");
}

TEST_CASE("a secret does not pass as a variable", "[policies]") {
  for (const char* name : {"GH_TOKEN", "API_KEY", "DB_PASSWORD", "MY_SECRET", "AWS_*", "AWS_REGION",
                           "SSH_AUTH_SOCK", "DATABASE_URL", "npm_token", "NPM_TOKEN*",
                           "GOOGLE_APPLICATION_CREDENTIALS", "PGPASSWORD"}) {
    CHECK(load_error("env: {pass: [" + std::string(name) + "]}\n") ==
          "p.yaml: line 4: column 14: env.pass[0]: '" + std::string(name) +
              "' looks like a secret, which the environment would give to every command: declare "
              "it under secrets");
    CHECK(load_error("env: {drop: [" + std::string(name) + "]}\n") == "accepted");
  }
  CHECK(load_error("env: {set: {API_KEY: x}}\n").find("looks like a secret") != std::string::npos);
  for (const char* name : {"LANG", "LC_*", "CI", "TERM", "GOPATH", "MONKEY", "KEYMAP"})
    CHECK(load_error("env: {pass: [" + std::string(name) + "]}\n") == "accepted");
  for (const char* name : {"\"*\"", "A=B", "1A", "A-B", "A*B", "\"\""})
    CHECK(load_error("env: {pass: [" + std::string(name) + "]}\n") != "accepted");
}

TEST_CASE("limits have bounds", "[policies]") {
  for (const char* limit :
       {"memory: 1MiB", "memory: 2000TiB", "memory: 4GB", "pids: 0", "pids: 99999999", "fds: 3",
        "cpu_percent: -1", "time: 0s", "time: 10", "time: 9000h", "output: 10B", "disk: none"}) {
    INFO(limit);
    CHECK(load_error("limits: {" + std::string(limit) + "}\n")
              .starts_with("p.yaml: line 4: column "));
  }
}

TEST_CASE("the list of all keys has no section twice", "[policies]") {
  std::vector<std::string_view> sections;
  for (const PolicyKeys& keys : policy_keys()) sections.push_back(keys.section);
  std::ranges::sort(sections);
  CHECK(std::ranges::adjacent_find(sections) == sections.end());
}
