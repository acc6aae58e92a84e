#include "policies/shipped.hpp"

#include "policies/decide.hpp"
#include "policies/environment.hpp"
#include "policies/path_rules.hpp"
#include "policies/policy_layers.hpp"
#include "tests/policies/fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>

using namespace fathom;
using namespace fathom::policies;

namespace {

// A shipped policy for /home/u and /home/u/w, as load_effective_policy() stacks it.
Policy shipped(const std::string& name) {
  PolicyMerge merge(test_context());
  const auto add = [&](const std::string& part, const std::string& prefix) {
    auto patch = load_policy_patch(shipped_policy(part), part + ".yaml", test_context(prefix));
    if (!patch) FAIL(patch.error().message);
    merge.add(*patch, Layer::built_in, Trust::full);
  };
  add("default", "");
  if (name != "default") add(name, name + ":");
  return std::move(merge).finish().policy;
}

Verdict verdict(const Policy& policy, const Request& request) {
  return decide(policy, request).verdict;
}

bool is_denied(const Policy& policy, const Request& request) {
  return verdict(policy, request) == Verdict::deny;
}

}  // namespace

TEST_CASE("the program carries the documents of the tree", "[policies]") {
  REQUIRE(shipped_policies().size() == 4);
  for (const ShippedDocument& document : shipped_policies())
    CHECK(document.text == test::slurp("policies/" + std::string(document.name) + ".yaml"));
  CHECK(policy_schema() == test::slurp("policies/policy.schema.json"));
  CHECK(shipped_policy("nowhere").empty());
}

TEST_CASE("the demo's checks are nobody's to change, and its programs are", "[policies]") {
  const Policy policy = shipped("demo");
  for (const char* check : {"test.py", "check.py", "run_tests.sh"})
    CHECK(is_denied(policy, request::WritePath{std::string("/home/u/w/") + check}));
  CHECK_FALSE(is_denied(policy, request::WritePath{"/home/u/w/src/contest.py"}));
  CHECK_FALSE(is_denied(policy, request::Exec{{"./run_tests.sh"}, "/home/u/w"}));
}

TEST_CASE("the default lets commands write the workspace and reach nothing", "[policies]") {
  const Policy policy = shipped("default");
  CHECK_FALSE(is_denied(policy, request::WritePath{"/home/u/w/src/x.c"}));
  CHECK(is_denied(policy, request::WritePath{"/home/u/.profile"}));
  CHECK(is_denied(policy, request::WritePath{"/usr/bin/x"}));
  CHECK(is_denied(policy, request::Connect{"example.com", 443, Phase::setup}));
  CHECK_FALSE(is_denied(policy, request::Connect{"localhost", 8080, Phase::test}));
  CHECK(policy.require == Policy::default_require());
  CHECK(policy.limits == Limits{});
  CHECK(verdict(policy, request::Exec{{"git", "push"}, "/"}) == Verdict::ask);
  CHECK(verdict(policy, request::Exec{{"git", "commit", "-m", "x"}, "/"}) == Verdict::allow);
}

TEST_CASE("the default hides secrets, also in a home that is opened", "[policies]") {
  Policy policy = shipped("default");
  for (const Access home : {Access::hidden, Access::read}) {
    policy.filesystem.home = home;
    for (const char* path :
         {"/home/u/.ssh/id_rsa", "/home/u/.aws/credentials", "/home/u/.config/gcloud/x",
          "/home/u/.netrc", "/home/u/.docker/config.json", "/home/u/.kube/config",
          "/home/u/.mozilla/x", "/home/u/.bash_history", "/home/u/.cargo/credentials.toml",
          "/home/u/.config/git/credentials", "/home/u/.config/fathom/pins", "/home/other/x",
          "/etc/shadow", "/run/docker.sock", "/run/user/1000/bus"}) {
      INFO(path);
      CHECK(is_denied(policy, request::ReadPath{path}));
    }
  }
  for (const char* path :
       {"/home/u/.cargo/bin/cargo", "/home/u/.rustup/x", "/home/u/go/bin/x", "/home/u/.gitconfig",
        "/home/u/.local/bin/x", "/usr/bin/x", "/etc/passwd"}) {
    INFO(path);
    CHECK_FALSE(is_denied(policy, request::ReadPath{path}));
  }
}

TEST_CASE("the default keeps what editors and agents obey, and reports what builds run",
          "[policies]") {
  const Policy policy = shipped("default");
  for (const char* name :
       {".vscode/tasks.json", ".idea/x", ".claude/settings.json", ".codex/x", ".mcp.json", ".envrc",
        ".husky/pre-commit", ".github/hooks/x", ".devcontainer/devcontainer.json",
        "vendor/x/.vscode/tasks.json", ".fathom/policy.yaml", "x.code-workspace", ".git/hooks/x"}) {
    INFO(name);
    CHECK(is_denied(policy, request::WritePath{"/home/u/w/" + std::string(name)}));
  }
  for (const char* name : {"Makefile", ".bazelrc", ".npmrc", ".yarnrc.yml", ".cargo/config.toml",
                           "conftest.py", "sitecustomize.py", "x.pth", "package.json"}) {
    INFO(name);
    const ProtectedName* found = protected_name_for(policy.filesystem, name);
    REQUIRE(found != nullptr);
    CHECK(found->protection == Protection::report);
    CHECK_FALSE(is_denied(policy, request::WritePath{"/home/u/w/" + std::string(name)}));
  }
}

TEST_CASE("the default passes no secret", "[policies]") {
  const Policy policy = shipped("default");
  for (const char* name : {"LANG", "LC_ALL", "TERM", "TZ", "NO_COLOR", "CI", "COLORTERM"})
    CHECK(passes(policy.env, name));
  for (const char* name : {"GH_TOKEN", "AWS_PROFILE", "SSH_AUTH_SOCK", "DATABASE_URL", "PATH",
                           "LD_PRELOAD", "HOME", "LC_TOKEN"})
    CHECK_FALSE(passes(policy.env, name));
}

TEST_CASE("readonly writes nothing and reaches nothing", "[policies]") {
  const Policy policy = shipped("readonly");
  CHECK(policy.name == "readonly");
  CHECK(is_denied(policy, request::WritePath{"/home/u/w/x"}));
  CHECK_FALSE(is_denied(policy, request::ReadPath{"/home/u/w/x"}));
  CHECK(is_denied(policy, request::Connect{"localhost", 80, Phase::test}));
  CHECK(policy.syscalls == SyscallProfile::strict);
  CHECK(std::ranges::none_of(policy.filesystem.grants,
                             [](const PathGrant& grant) { return grant.access == Access::write; }));
}

TEST_CASE("ci-repair cannot touch tests or the CI, and asks nobody", "[policies]") {
  const Policy policy = shipped("ci-repair");
  for (const char* name : {"tests/test_x.py", "a/x_test.go", "src/x.test.ts", "conftest.py",
                           ".github/workflows/ci.yml", ".gitlab-ci.yml", ".circleci/config.yml",
                           "tests/x.rs", "FooTest.java", ".vscode/x"}) {
    INFO(name);
    CHECK(is_denied(policy, request::WritePath{"/home/u/w/" + std::string(name)}));
  }
  CHECK_FALSE(is_denied(policy, request::WritePath{"/home/u/w/src/x.py"}));
  CHECK_FALSE(is_denied(policy, request::WritePath{"/home/u/w/tests/.cache/x"}));
  CHECK(policy.approvals.mode == ApprovalMode::never);
  CHECK(is_denied(policy, request::Exec{{"git", "push"}, "/"}));
  CHECK_FALSE(is_denied(policy, request::Connect{"pypi.org", 443, Phase::setup}));
  CHECK(is_denied(policy, request::Connect{"pypi.org", 443, Phase::test}));
  CHECK(is_denied(policy, request::Connect{"pypi.org", 443, Phase::agent}));
}

TEST_CASE("every rule of the shipped documents has a comment above its group", "[policies]") {
  for (const ShippedDocument& document : shipped_policies()) {
    const std::string text(document.text);
    CHECK(text.starts_with("# "));
    // Each key of a section begins a line whose nearest line above, over items, is a comment.
    for (const char* key :
         {"\n  workspace:", "\n  otherwise:", "\n  loopback:", "\n  mode:", "\nsyscalls:"}) {
      const std::size_t at = text.find(key);
      if (at == std::string::npos) continue;
      const std::size_t line = text.rfind('\n', at - 1);
      INFO(document.name << key);
      CHECK(text.substr(line + 1, at - line).find('#') != std::string::npos);
    }
  }
}
