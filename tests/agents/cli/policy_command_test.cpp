#include "agents/cli/policy_command.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

using namespace fathom;
using nlohmann::json;
using test::ProgramResult;

namespace {

// A home directory with a workspace, and the program run in them.
struct Desk {
  test::TempDir dir;
  std::string home = (std::filesystem::canonical(dir.path()) / "home").string();
  std::string repo = home + "/w";

  Desk() { std::filesystem::create_directories(repo); }

  [[nodiscard]] ProgramResult policy(std::vector<std::string> args) const {
    args.insert(args.begin(), "policy");
    return test::fathom(args,
                        {.environment = {"PATH=/usr/bin:/bin", "HOME=" + home}, .stdout_path = ""});
  }
  [[nodiscard]] ProgramResult ask(std::vector<std::string> request) const {
    request.insert(request.begin(), {"test", "--repo", repo});
    return policy(request);
  }
  void write(const std::string& name, const std::string& body) const {
    (void)dir.write("home/" + name, "apiVersion: fathom/v1\nkind: Policy\nname: x\n" + body);
  }
};

}  // namespace

TEST_CASE("policy test answers by exit code, with rule and grant", "[agents][e2e]") {
  const Desk desk;
  CHECK(desk.ask({"write", "src/x.c"}).exit_code == 0);
  CHECK(desk.ask({"write", "src/x.c"}).out == "allow by rule filesystem.workspace\n");
  const ProgramResult denied = desk.ask({"read", desk.home + "/.ssh/id_rsa"});
  CHECK(denied.exit_code == 13);
  CHECK(denied.out.starts_with("deny by rule filesystem.hidden[1]: '" + desk.home +
                               "/.ssh/id_rsa' is hidden by '" + desk.home + "/.ssh'\n"));
  CHECK(denied.out.find("to allow it: filesystem: {read: [") != std::string::npos);
  CHECK(desk.ask({"exec", "--", "git", "push", "--force"}).exit_code == 13);
  CHECK(desk.ask({"exec", "git", "status"}).exit_code == 0);
  CHECK(desk.ask({"connect", "example.com:80"}).exit_code == 13);
  CHECK(desk.ask({"connect", "[::1]:8080"}).exit_code == 0);
  CHECK(desk.ask({"connect", "::1"}).exit_code == 0);
  CHECK(desk.ask({"secret", "X_TOKEN"}).exit_code == 13);
  const json answer = json::parse(
      desk.ask({"connect", "pypi.org", "--phase", "setup", "--policy", "ci-repair", "--json"}).out);
  CHECK(answer["verdict"] == "allow");
  CHECK(answer["rule"] == "ci-repair:network.hosts[1]");
}

TEST_CASE("policy test resolves links before it asks", "[agents][e2e]") {
  const Desk desk;
  std::filesystem::create_directories(desk.home + "/.ssh");
  std::filesystem::create_symlink(desk.home + "/.ssh", desk.repo + "/link");
  CHECK(desk.ask({"read", "link/id_rsa"}).exit_code == 13);
  CHECK(desk.ask({"write", "link/id_rsa"}).exit_code == 13);
  CHECK(desk.ask({"write", "../.bashrc"}).exit_code == 13);
}

TEST_CASE("policy test says what it cannot understand", "[agents][e2e]") {
  const Desk desk;
  CHECK(desk.ask({"wirte", "x"}).err ==
        "fathom: policy test: unknown kind 'wirte' (did you mean 'write'?)\n");
  CHECK(desk.ask({"read", "a", "b"}).exit_code == 64);
  CHECK(desk.ask({"connect", "a.example:0"}).exit_code == 64);
  CHECK(desk.ask({"connect", "a.example:http"}).exit_code == 64);
  CHECK(desk.ask({"connect", "a.example", "--phase", "build"}).exit_code == 64);
  CHECK(desk.policy({"explain", "--policy", "nowhere", "--repo", desk.repo}).exit_code == 66);
}

TEST_CASE("policy lint reports every document", "[agents][e2e]") {
  const Desk desk;
  desk.write("good.yaml", "");
  desk.write("bad.yaml", "exec: {rulez: []}\n");
  const std::string good = desk.home + "/good.yaml";
  const std::string bad = desk.home + "/bad.yaml";
  const ProgramResult both = desk.policy({"lint", "--repo", desk.repo, bad, good});
  CHECK(both.exit_code == 64);
  CHECK(both.out == good + ": ok\n");
  CHECK(both.err == "fathom: " + bad +
                        ": line 4: column 8: exec: unknown key 'rulez' (did you mean 'rules'?)\n");
  const ProgramResult as_json = desk.policy({"lint", "--json", "--repo", desk.repo, bad, good});
  const json report = json::parse(as_json.out);
  CHECK(as_json.exit_code == 64);
  CHECK(report[0]["ok"] == false);
  CHECK(report[1] == json{{"file", good}, {"ok", true}});
  CHECK(desk.policy({"lint", "--repo", desk.repo, desk.home + "/absent.yaml"}).exit_code == 66);
  CHECK(desk.policy({"lint", "policies/default.yaml", "policies/readonly.yaml",
                     "policies/ci-repair.yaml"})
            .exit_code == 0);
}

TEST_CASE("policy explain shows origins, and widenings that were ignored", "[agents][e2e]") {
  const Desk desk;
  desk.write(".config/fathom/policy.yaml", "limits: {pids: 2000}\n");
  desk.write("w/.fathom/policy.yaml", "network: {hosts: [evil.example]}\nlimits: {fds: 64}\n");
  const json report = json::parse(desk.policy({"explain", "--json", "--repo", desk.repo}).out);
  CHECK(report["layers"].size() == 3);
  REQUIRE(report["ignored"].size() == 1);
  CHECK(report["ignored"][0]["key"] == "network.hosts project:network.hosts[0]");
  CHECK(report["ignored"][0]["origin"]["line"] == 4);
  bool seen = false;
  for (const json& value : report["values"]) {
    if (value["key"] != "limits.fds") continue;
    seen = true;
    CHECK(value["value"] == "64");
    CHECK(value["origin"]["layer"] == "project");
  }
  CHECK(seen);
  const std::string text = desk.policy({"explain", "--repo", desk.repo}).out;
  CHECK(text.find("ignored network.hosts project:network.hosts[0] = allow evil.example") !=
        std::string::npos);
  CHECK(text.find("limits.pids = 2000   [user (") != std::string::npos);
}

TEST_CASE("policy diff shows what another policy changes", "[agents][e2e]") {
  const Desk desk;
  const ProgramResult diff = desk.policy({"diff", "default", "readonly", "--repo", desk.repo});
  CHECK(diff.exit_code == 0);
  CHECK(diff.out.find("- filesystem.workspace = write\n+ filesystem.workspace = read\n") !=
        std::string::npos);
  CHECK(desk.policy({"diff", "default", "default", "--repo", desk.repo}).out.empty());
  const json report =
      json::parse(desk.policy({"diff", "default", "readonly", "--json", "--repo", desk.repo}).out);
  CHECK(report[0] == json{{"key", "name"}, {"before", "default"}, {"after", "readonly"}});
}

TEST_CASE("policy schema prints the published schema", "[agents][e2e]") {
  CHECK(test::fathom({"policy", "schema"}).out == test::slurp("policies/policy.schema.json"));
}
