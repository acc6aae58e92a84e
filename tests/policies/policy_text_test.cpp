#include "policies/policy_text.hpp"

#include "policies/policy_load.hpp"
#include "tests/policies/fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>

using namespace fathom;
using namespace fathom::policies;

namespace {

// Random policies that a loader could have made: canonical, with ids and paths of the allowed form.
class PolicyMaker {
 public:
  explicit PolicyMaker(unsigned seed) : random_(seed) {}

  Policy make() {
    Policy policy;
    policy.name = word();
    policy.filesystem = filesystem();
    policy.exec.otherwise = pick({Verdict::allow, Verdict::ask, Verdict::deny});
    for (int i = below(4); i > 0; --i)
      policy.exec.rules.push_back(exec_rule({Verdict::allow, Verdict::ask, Verdict::deny}));
    for (int i = below(3); i > 0; --i)
      policy.exec.restrict.push_back(exec_rule({Verdict::ask, Verdict::deny}));
    policy.network = network();
    for (int i = below(4); i > 0; --i)
      policy.env.pass.push_back(pick<std::string>({"LANG", "LC_", "_x9"}) + std::to_string(i) +
                                pick({"", "*"}));
    for (int i = below(3); i > 0; --i) policy.env.set.push_back({"V" + std::to_string(i), text()});
    for (int i = below(3); i > 0; --i)
      policy.secrets.push_back(
          {"S" + std::to_string(i) + "_TOKEN", pick({SecretUse::never, SecretUse::per_call})});
    policy.limits.memory_bytes = (16ULL << 20) + random_() % (1ULL << 40);
    policy.limits.pids = 1 + random_() % 4000;
    policy.limits.cpu_percent = random_() % 400;
    policy.limits.time = std::chrono::milliseconds(1 + random_() % 100'000'000);
    policy.approvals.mode = pick({ApprovalMode::ask, ApprovalMode::never});
    if (below(2) == 0) policy.approvals.never_ask = {"network", "exec"};
    policy.syscalls = pick({SyscallProfile::build, SyscallProfile::debug, SyscallProfile::strict});
    for (Strength& strength : policy.require)
      strength = pick({Strength::none, Strength::best_effort, Strength::enforced});
    make_canonical(policy);
    return policy;
  }

 private:
  int below(int bound) { return static_cast<int>(random_() % static_cast<unsigned>(bound)); }
  template <class T>
  T pick(std::initializer_list<T> values) {
    return *(values.begin() + below(static_cast<int>(values.size())));
  }
  std::string word() { return "w" + std::to_string(random_() % 1000); }
  std::string id() { return pick({"user:", "", "a.b[0]:"}) + std::to_string(++ids_); }
  std::string text() {
    std::string out;
    for (int i = below(12); i > 0; --i)
      out += pick<std::string>({"a", " ", "\"", "\\", "'", "#", ": ", "é", "\n", "\t", "{", "~",
                                "\x01", "%", "no", "- ", "&", "*", "😀"});
    return out;
  }
  std::string line() {
    std::string out = text() + "x";
    std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    return out;
  }

  Filesystem filesystem() {
    Filesystem out;
    out.workspace_root = "/home/u/w";
    out.home_root = "/home/u";
    out.workspace = pick({Access::read, Access::write});
    out.home = pick({Access::hidden, Access::read});
    for (int i = below(5); i > 0; --i)
      out.grants.push_back({"/p" + std::to_string(i) + "/" + word() + " é\"#",
                            pick({Access::hidden, Access::read, Access::write}), id()});
    if (below(3) == 0) out.grants.push_back({"/", Access::write, id()});
    for (int i = below(5); i > 0; --i)
      out.protected_names.push_back({pick({"*.x", ".y/", "a/b "}) + std::to_string(i),
                                     pick({Protection::deny, Protection::report}), id()});
    if (below(2) == 0) out.caches = {"npm", "cargo"};
    return out;
  }

  ExecRule exec_rule(std::initializer_list<Verdict> verdicts) {
    ExecRule rule{id(), pick(verdicts), {}, below(2) == 0 ? "" : line()};
    for (int i = 1 + below(3); i > 0; --i)
      rule.patterns.push_back(pick({"git *", "*", "a * b", "é #x"}) + std::string(" ") + word());
    return rule;
  }

  Network network() {
    Network out;
    out.loopback = below(2) == 0;
    for (int i = below(4); i > 0; --i)
      out.hosts.push_back(host_rule({Verdict::allow, Verdict::ask, Verdict::deny}));
    for (int i = below(3); i > 0; --i)
      out.restrict.push_back(host_rule({Verdict::ask, Verdict::deny}));
    if (below(2) == 0) out.private_ranges = {"10.0.0.0/8", "fd00::/8"};
    if (below(2) == 0) out.host_loopback_ports = {22, 65535};
    if (below(2) == 0) out.unix_sockets = {"/run/a b.sock"};
    return out;
  }

  HostRule host_rule(std::initializer_list<Verdict> verdicts) {
    HostRule rule{id(),
                  pick(verdicts),
                  pick<std::string>({"a.example", "*.b.example", "1.2.3.4", "2606:4700::1"}),
                  {443},
                  {Phase::setup, Phase::test}};
    if (below(2) == 0) rule.ports = {80, 8080};
    return rule;
  }

  std::mt19937_64 random_;
  int ids_ = 0;
};

}  // namespace

TEST_CASE("a policy's canonical text loads as the same policy", "[policies]") {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    const Policy policy = PolicyMaker(seed).make();
    const std::string text = to_yaml(policy);
    const auto again = load_policy(text, "p.yaml", test_context());
    INFO("seed " << seed << "\n" << text);
    if (!again) FAIL(again.error().message);
    REQUIRE(policy_diff(policy, *again).empty());
    REQUIRE(*again == policy);
    REQUIRE(to_yaml(*again) == text);
  }
}

TEST_CASE("the hash changes with every value and with the roots", "[policies]") {
  const Policy policy = PolicyMaker(1).make();
  const std::string hash = policy_hash(policy);
  CHECK(hash.starts_with("sha256:"));
  CHECK(hash.size() == 7 + 64);
  CHECK(policy_hash(policy) == hash);
  std::vector<Policy> others(6, policy);
  others[0].filesystem.workspace_root = "/home/u/v";
  others[1].filesystem.home_root = "/home/v";
  others[2].limits.pids += 1;
  others[3].network.loopback = !policy.network.loopback;
  others[4].require[0] = policy.require[0] == Strength::none ? Strength::enforced : Strength::none;
  others[5].env.set.push_back({"X", ""});
  for (const Policy& other : others) CHECK(policy_hash(other) != hash);
}

TEST_CASE("a difference names the key and both values", "[policies]") {
  Policy before;
  before.exec.rules = {{"a", Verdict::deny, {"x *"}, "why"}, {"b", Verdict::ask, {"y"}, ""}};
  before.filesystem.grants = {{"/x", Access::read, "r"}};
  Policy after = before;
  CHECK(policy_diff(before, after).empty());
  after.filesystem.grants = {{"/x", Access::write, "r"}, {"/y", Access::hidden, "h"}};
  after.limits.memory_bytes = 1ULL << 30;
  after.exec.rules.pop_back();
  CHECK(policy_diff(before, after) ==
        std::vector<PolicyChange>{{"filesystem.paths /x", "read", "write"},
                                  {"exec.rules b", "ask y", ""},
                                  {"limits.memory", "4GiB", "1GiB"},
                                  {"filesystem.paths /y", "", "hidden"}});
  after = before;
  std::ranges::reverse(after.exec.rules);
  CHECK(policy_diff(before, after) ==
        std::vector<PolicyChange>{{"exec.rules", "order a b", "order b a"}});
}
