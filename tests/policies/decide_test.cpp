#include "policies/decide.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::policies;

namespace {

Policy sample() {
  Policy policy;
  policy.filesystem.home_root = "/home/u";
  policy.filesystem.workspace_root = "/home/u/w";
  policy.filesystem.grants = {{"/home/u/.cargo", Access::read, "filesystem.read[0]"},
                              {"/var/cache/x", Access::write, "filesystem.write[0]"},
                              {"/etc/shadow", Access::hidden, "filesystem.hidden[0]"}};
  policy.filesystem.protected_names = {
      {".vscode/", Protection::deny, "filesystem.protected.deny[0]"},
      {"Makefile", Protection::report, "build-files"}};
  policy.exec.rules = {{"no-push", Verdict::ask, {"git push *"}, "publishes"},
                       {"no-force", Verdict::deny, {"rm -rf *", "sudo *"}, ""},
                       {"git", Verdict::allow, {"git *"}, ""}};
  const std::vector<Phase> all = {Phase::setup, Phase::agent, Phase::test};
  policy.network.hosts = {{"no-evil", Verdict::deny, "evil.example.com", {443}, all},
                          {"ours", Verdict::allow, "*.example.com", {443, 8443}, all},
                          {"registry", Verdict::allow, "registry.example", {443}, {Phase::setup}},
                          {"asked", Verdict::ask, "asked.example", {443}, all},
                          {"box", Verdict::allow, "10.0.0.5", {22}, all}};
  policy.network.private_ranges = {"192.168.7.0/24"};
  policy.secrets = {{"NPM_TOKEN", SecretUse::per_call}, {"ROOT_KEY", SecretUse::never}};
  return policy;
}

// "allow RULE", "deny RULE" ...
std::string answer(const Policy& policy, const Request& request) {
  const Decision decision = decide(policy, request);
  return std::string(name_of(decision.verdict)) + " " + decision.rule;
}

std::string exec(std::vector<std::string> argv) {
  return answer(sample(), request::Exec{std::move(argv), "/home/u/w"});
}

std::string connect(std::string host, std::uint16_t port = 443, Phase phase = Phase::agent) {
  return answer(sample(), request::Connect{std::move(host), port, phase});
}

std::string read(std::string path) { return answer(sample(), request::ReadPath{std::move(path)}); }
std::string write(std::string path) {
  return answer(sample(), request::WritePath{std::move(path)});
}

}  // namespace

TEST_CASE("a git directory of the workspace's own is decided as the workspace is", "[policies]") {
  const auto use = [](const Policy& policy, std::string path, bool writes) {
    return answer(policy, request::UseGit{std::move(path), writes});
  };
  Policy policy = sample();
  CHECK(use(policy, "/home/u/main/.git", true) == "allow filesystem.workspace");
  CHECK(use(policy, "/home/u/main/.git", false) == "allow filesystem.workspace");
  CHECK(use(policy, "relative", false) == "deny filesystem.path");
  CHECK(use(policy, "/proc/self/root/x", false) == "deny filesystem.alias");
  policy.filesystem.workspace = Access::read;
  CHECK(use(policy, "/home/u/main/.git", true) == "deny filesystem.workspace");
  CHECK(use(policy, "/home/u/main/.git", false) == "allow filesystem.workspace");
  policy = sample();
  policy.filesystem.grants.push_back({"/home/u/main/.git/objects", Access::hidden, "mine"});
  CHECK(use(policy, "/home/u/main/.git", false) == "deny mine");
  CHECK(use(policy, "/home/u/other/.git", false) == "allow filesystem.workspace");
}

TEST_CASE("the first exec rule that matches decides", "[policies]") {
  CHECK(exec({"git", "push", "origin"}) == "ask no-push");
  CHECK(exec({"git", "push"}) == "ask no-push");
  CHECK(exec({"/usr/bin/git", "push"}) == "ask no-push");
  CHECK(exec({"git", "status"}) == "allow git");
  CHECK(exec({"rm", "-rf", "/"}) == "deny no-force");
  CHECK(exec({"rm", "-r", "/"}) == "allow exec.otherwise");
  CHECK(exec({"gitx", "push"}) == "allow exec.otherwise");
  CHECK(exec({}) == "deny exec.empty");
}

TEST_CASE("a rule's command is seen inside plain wrappers", "[policies]") {
  CHECK(exec({"env", "X=1", "git", "push"}) == "ask no-push");
  CHECK(exec({"bash", "-c", "git push origin main"}) == "ask no-push");
  CHECK(exec({"bash", "-lc", "cd x && sudo id"}) == "deny no-force");
  CHECK(exec({"timeout", "5", "env", "A=b", "sh", "-c", "echo; git push"}) == "ask no-push");
  CHECK(exec({"bash", "-c", "echo \"$(sudo id)\""}) == "deny no-force");
  CHECK(exec({"bash", "-c", "git status"}) == "allow git");
  // A rule about the wrapper does not hide a stricter one about what is inside.
  CHECK(exec({"git", "-c", "x"}) == "allow git");
  Policy policy = sample();
  policy.exec.rules.push_back({"shell", Verdict::allow, {"bash *"}, ""});
  CHECK(answer(policy, request::Exec{{"bash", "-c", "sudo id"}, "/"}) == "deny no-force");
}

TEST_CASE("where commands need a rule, a script needs one for each", "[policies]") {
  Policy policy = sample();
  policy.exec.otherwise = Verdict::deny;
  const auto run = [&](const char* script) {
    return answer(policy, request::Exec{{"bash", "-c", script}, "/"});
  };
  CHECK(run("git status && git log") == "allow git");
  CHECK(run("git status; curl x") == "deny exec.otherwise");
  CHECK(run("git log $(id)") == "deny exec.otherwise");  // more than can be read
  CHECK(answer(policy, request::Exec{{"bash", "x.sh"}, "/"}) == "deny exec.otherwise");
  const Decision decision = decide(policy, request::Exec{{"bash", "-c", "git log; curl x y"}, "/"});
  CHECK(decision.reason == "no rule allows 'curl x y'");
  CHECK(decision.grant == "exec: {rules: [{verdict: allow, commands: [\"curl x y\"]}]}");
}

TEST_CASE("a restriction can only narrow", "[policies]") {
  Policy policy = sample();
  policy.exec.restrict = {{"p", Verdict::ask, {"rm *", "git log *"}, ""}};
  const auto run = [&](std::vector<std::string> argv) {
    return answer(policy, request::Exec{std::move(argv), "/"});
  };
  CHECK(run({"git", "log"}) == "ask p");
  CHECK(run({"rm", "-rf", "/"}) == "deny no-force");  // not weakened to ask
  CHECK(run({"git", "status"}) == "allow git");
  policy.network.restrict = {{"q", Verdict::deny, "a.example.com", {443}, {Phase::agent}},
                             {"r", Verdict::ask, "evil.example.com", {443}, {Phase::agent}}};
  CHECK(answer(policy, request::Connect{"a.example.com", 443, Phase::agent}) == "deny q");
  CHECK(answer(policy, request::Connect{"b.example.com", 443, Phase::agent}) == "allow ours");
  CHECK(answer(policy, request::Connect{"evil.example.com", 443, Phase::agent}) == "deny no-evil");
  CHECK(answer(policy, request::Connect{"none.example", 443, Phase::agent}) ==
        "deny network.hosts");
}

TEST_CASE("what would be asked is denied when nobody is there", "[policies]") {
  Policy policy = sample();
  policy.approvals.mode = ApprovalMode::never;
  const Decision decision = decide(policy, request::Exec{{"git", "push"}, "/"});
  CHECK(decision.verdict == Verdict::deny);
  CHECK(decision.rule == "no-push");
  CHECK(decision.reason ==
        "'git push' needs an approval: publishes (nobody is there to approve: "
        "approvals.mode is never)");
  policy = sample();
  policy.approvals.never_ask = {"network"};
  CHECK(answer(policy, request::Connect{"asked.example", 443, Phase::agent}) == "deny asked");
  CHECK(answer(policy, request::Exec{{"git", "push"}, "/"}) == "ask no-push");
}

TEST_CASE("reads follow the longest grant", "[policies]") {
  CHECK(read("/usr/bin/ls") == "allow filesystem.system");
  CHECK(read("/home/u/w/x") == "allow filesystem.workspace");
  CHECK(read("/home/u/.ssh/id_rsa") == "deny filesystem.home");
  CHECK(read("/home/u/.cargo/bin/cargo") == "allow filesystem.read[0]");
  CHECK(read("/etc/shadow") == "deny filesystem.hidden[0]");
  CHECK(read("/dev/null") == "allow filesystem.devices");
  const Decision decision = decide(sample(), request::ReadPath{"/home/u/.ssh/id_rsa"});
  CHECK(decision.reason == "'/home/u/.ssh/id_rsa' is hidden by '/home/u'");
  CHECK(decision.grant == "filesystem: {read: [\"/home/u/.ssh/id_rsa\"]}");
}

TEST_CASE("writes need a grant and no protected name", "[policies]") {
  CHECK(write("/home/u/w/src/a.c") == "allow filesystem.workspace");
  CHECK(write("/var/cache/x/y") == "allow filesystem.write[0]");
  CHECK(write("/home/u/.cargo/x") == "deny filesystem.read[0]");
  CHECK(write("/home/u/.profile") == "deny filesystem.home");
  CHECK(write("/usr/x") == "deny filesystem.system");
  CHECK(write("/tmp/x") == "deny filesystem.system");
  CHECK(write("/home/u/w/a/.vscode/tasks.json") == "deny filesystem.protected.deny[0]");
  CHECK(write("/home/u/w/Makefile") == "allow build-files");
  CHECK(write("/home/u/w/.git/hooks/pre-commit") == "deny filesystem.git");
  CHECK(write("/home/u/w/vendor/x/.git/config") == "deny filesystem.git");
  CHECK(write("/home/u/w/.git") == "deny filesystem.git");
  CHECK(write("/var/cache/x/repo/.git/hooks/pre-commit") == "deny filesystem.git");
  CHECK(write("/var/cache/x/repo/.vscode/tasks.json") == "deny filesystem.protected.deny[0]");
  CHECK(write("/home/u/w/.gitignore") == "allow filesystem.workspace");
  CHECK(decide(sample(), request::WritePath{"/home/u/w/.vscode/x"}).grant ==
        "filesystem: {protected: {report: [\".vscode/\"]}}");
}

TEST_CASE("a workspace that is the root folder keeps its protected names", "[policies]") {
  Policy policy = sample();
  policy.filesystem.workspace_root = "/";
  policy.filesystem.grants.clear();
  policy.filesystem.home_root = "/nowhere";
  CHECK(answer(policy, request::WritePath{"/.vscode/x"}) == "deny filesystem.protected.deny[0]");
  CHECK(answer(policy, request::WritePath{"/.git/x"}) == "deny filesystem.git");
  CHECK(answer(policy, request::WritePath{"/x"}) == "allow filesystem.workspace");
}

TEST_CASE("other spellings of a path decide nothing", "[policies]") {
  for (const char* path : {"/home/u/w/../.ssh/x", "relative", "", "/home/u/w//x", "/home/u/w/"}) {
    CHECK(write(path) == "deny filesystem.path");
    CHECK(read(path) == "deny filesystem.path");
  }
  for (const char* path : {"/proc/self/root/etc/x", "/proc/1/cwd", "/proc/self/fd/3", "/dev/fd/3",
                           "/proc/self/task/1/root/x", "/proc/self/exe"})
    CHECK(write(path) == "deny filesystem.alias");
  CHECK(read("/proc/cpuinfo") == "allow filesystem.system");
  CHECK(read("/dev/vda") == "deny filesystem.devices");
  CHECK(write("/dev/shm/x") == "deny filesystem.devices");
}

TEST_CASE("hosts are reached by rule, port and phase", "[policies]") {
  CHECK(connect("a.example.com") == "allow ours");
  CHECK(connect("A.Example.COM.") == "allow ours");
  CHECK(connect("evil.example.com") == "deny no-evil");
  CHECK(connect("example.com") == "deny network.hosts");
  CHECK(connect("a.example.com", 80) == "deny ours");
  CHECK(connect("registry.example", 443, Phase::setup) == "allow registry");
  CHECK(connect("registry.example", 443, Phase::test) == "deny registry");
  CHECK(connect("asked.example") == "ask asked");
  CHECK(connect("a.example.com", 0) == "deny network.port");
  CHECK(connect("user@a.example.com") == "deny network.host");
  CHECK(connect("10.0.0.5", 22) == "allow box");
  CHECK(connect("10.0.0.6", 22) == "deny network.hosts");
  const Decision decision =
      decide(sample(), request::Connect{"registry.example", 443, Phase::test});
  CHECK(decision.reason == "'registry.example' may not be reached on port 443 in phase test");
  Policy off;
  CHECK(decide(off, request::Connect{"x.example", 443, Phase::agent}).grant ==
        "network: {hosts: [{host: \"x.example\", ports: [443]}]}");
}

TEST_CASE("loopback is private, and some addresses are never reachable", "[policies]") {
  for (const char* host :
       {"localhost", "127.0.0.1", "::1", "[::1]", "::ffff:127.0.0.1", "a.localhost"})
    CHECK(connect(host, 8080) == "allow network.loopback");
  Policy policy = sample();
  policy.network.loopback = false;
  policy.network.host_loopback_ports = {5432};
  CHECK(answer(policy, request::Connect{"localhost", 5432, Phase::test}) ==
        "allow network.host_loopback_ports");
  CHECK(answer(policy, request::Connect{"localhost", 80, Phase::test}) == "deny network.loopback");
  policy.network.hosts = {{"m", Verdict::allow, "169.254.169.254", {80}, {Phase::agent}}};
  for (const char* host : {"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
                           "fd00:ec2::254", "224.0.0.1", "0.0.0.0", "fe80::1"})
    CHECK(answer(policy, request::Connect{host, 80, Phase::agent}) == "deny network.address_class");
}

TEST_CASE("the address of an allowed name is decided by its class", "[policies]") {
  const auto resolved = [](const char* host, const char* address) {
    const Decision decision = decide_resolved(sample(), host, address);
    return std::string(name_of(decision.verdict)) + " " + decision.rule;
  };
  CHECK(resolved("a.example.com", "93.184.215.14") == "allow network.address_class");
  CHECK(resolved("a.example.com", "127.0.0.1") == "deny network.address_class");
  CHECK(resolved("a.example.com", "::ffff:127.0.0.1") == "deny network.address_class");
  CHECK(resolved("a.example.com", "169.254.169.254") == "deny network.address_class");
  CHECK(resolved("a.example.com", "10.1.2.3") == "deny network.address_class");
  CHECK(resolved("a.example.com", "192.168.7.9") == "allow network.private_ranges");
  CHECK(resolved("a.example.com", "64:ff9b::192.168.7.9") == "allow network.private_ranges");
  CHECK(resolved("10.0.0.5", "10.0.0.5") == "allow network.hosts");
  CHECK(resolved("10.0.0.5", "10.0.0.6") == "deny network.address_class");
  CHECK(resolved("a.example.com", "127.1") == "deny network.address");
  const Decision decision = decide_resolved(sample(), "a.example.com", "10.1.2.3");
  CHECK(decision.reason == "'a.example.com' is at 10.1.2.3 (private_range)");
  CHECK(decision.grant == "network: {private_ranges: [\"10.1.2.3\"]}");
}

TEST_CASE("a secret is given one call at a time", "[policies]") {
  const auto use = [](const char* name) { return answer(sample(), request::UseSecret{name}); };
  CHECK(use("NPM_TOKEN") == "ask secrets.NPM_TOKEN");
  CHECK(use("ROOT_KEY") == "deny secrets.ROOT_KEY");
  CHECK(use("OTHER") == "deny secrets");
}

TEST_CASE("a pattern of words is checked for what it would not mean", "[policies]") {
  for (const char* pattern : {"git push *", "*", "a * b", "/usr/bin/git *", "npm run-script x"})
    CHECK(command_pattern_flaw(pattern).empty());
  for (const char* pattern : {"", " git", "git ", "git  push", "git pu*", "*.sh", "git 'a b'"})
    CHECK_FALSE(command_pattern_flaw(pattern).empty());
  CHECK(matches_command("a * c", {"a", "b", "c"}));
  CHECK_FALSE(matches_command("a * c", {"a", "c"}));
  CHECK_FALSE(matches_command("a * c", {"a", "b", "c", "d"}));
  CHECK(matches_command("/usr/bin/git *", {"/usr/bin/git", "x"}));
  CHECK_FALSE(matches_command("/usr/bin/git *", {"/tmp/git", "x"}));
  CHECK(matches_command("*", {"anything", "at", "all"}));
}
