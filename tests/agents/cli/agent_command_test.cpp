#include "agents/cli/agent_command.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

using namespace fathom;
using test::ProgramResult;

namespace {

struct Desk {
  test::TempDir dir;
  std::string home = (std::filesystem::canonical(dir.path()) / "home").string();
  std::string repo = home + "/w";

  Desk() { std::filesystem::create_directories(repo); }
  [[nodiscard]] ProgramResult agent(std::vector<std::string> args) const {
    args.insert(args.begin(), "agent");
    return test::fathom(args,
                        {.environment = {"PATH=/usr/bin:/bin", "HOME=" + home}, .stdout_path = ""});
  }
  void write(const std::string& name, const std::string& text) const {
    (void)dir.write("home/" + name, text);
  }
};

std::string named(const std::string& name, const std::string& body = "") {
  return "apiVersion: fathom/v1\nkind: Agent\nname: " + name + "\nprompt: p\n" + body;
}

}  // namespace

TEST_CASE("agent list names what there is and why one cannot be used", "[agents][e2e]") {
  const Desk desk;
  desk.write(".config/fathom/agents/mine.yaml", named("mine", "description: does it\n"));
  desk.write(".config/fathom/agents/wrong.yaml", named("wrong", "tols: []\n"));
  const ProgramResult listed = desk.agent({"list"});
  CHECK(listed.exit_code == 0);
  CHECK(listed.out.find("coder     built-in  Changes a repository") == 0);
  CHECK(listed.out.find("\nmine      user  does it\n") != std::string::npos);
  CHECK(listed.out.find("unknown key 'tols' (did you mean 'tools'?)") != std::string::npos);
  const auto json = nlohmann::json::parse(desk.agent({"list", "--json"}).out);
  REQUIRE(json.size() == 6);
  CHECK(json[4] == nlohmann::json{{"name", "mine"},
                                  {"origin", "user"},
                                  {"file", desk.home + "/.config/fathom/agents/mine.yaml"},
                                  {"description", "does it"}});
  CHECK(json[5].contains("error"));
}

TEST_CASE("agent show prints a document that can be copied", "[agents][e2e]") {
  const Desk desk;
  const ProgramResult shown = desk.agent({"show", "coder"});
  CHECK(shown.exit_code == 0);
  CHECK(shown.out == test::slurp("agents/coder.yaml"));
  const ProgramResult absent = desk.agent({"show", "codr"});
  CHECK(absent.exit_code == 66);
  CHECK(absent.err == "fathom: agent: no file and none called 'codr' (did you mean 'coder'?)\n");
}

TEST_CASE("agent show --system prints what a session in the repository begins with",
          "[agents][e2e]") {
  const Desk desk;
  desk.write("w/AGENTS.md", "Use tabs.\x1b[31m\n");
  desk.write("outside.md", "secret");
  std::filesystem::create_symlink("../outside.md", desk.repo + "/CLAUDE.md");
  const ProgramResult shown = desk.agent({"show", "coder", "--system", "--repo", desk.repo});
  CHECK(shown.exit_code == 0);
  CHECK(shown.out.find("The repository is " + desk.repo + ", where") != std::string::npos);
  CHECK(shown.out.find("Use tabs.\\x1b[31m\n") != std::string::npos);
  CHECK(shown.out.find("secret") == std::string::npos);
  CHECK(shown.err.starts_with("fathom: CLAUDE.md: not read: "));
}

TEST_CASE("agent lint reports every document and exits 64 for a wrong one", "[agents][e2e]") {
  const Desk desk;
  desk.write("good.yaml", named("good", "agents: [explorer]\n"));
  desk.write("lonely.yaml", named("lonely", "agents: [nobody]\n"));
  desk.write("wrong.yaml", named("wrong", "attempts: 0\n"));
  CHECK(desk.agent({"lint", "coder", "reviewer", "explorer", desk.home + "/good.yaml"}).exit_code ==
        0);
  const ProgramResult wrong =
      desk.agent({"lint", desk.home + "/wrong.yaml", desk.home + "/good.yaml"});
  CHECK(wrong.exit_code == 64);
  CHECK(wrong.out == desk.home + "/good.yaml: ok\n");
  CHECK(wrong.err.find("wrong.yaml: line 5: column 11: attempts: '0' is no number that fits") !=
        std::string::npos);
  const ProgramResult lonely = desk.agent({"lint", "--json", desk.home + "/lonely.yaml"});
  CHECK(lonely.exit_code == 66);
  CHECK(nlohmann::json::parse(lonely.out)[0]["ok"] == false);
}

TEST_CASE("agent schema prints the published schema", "[agents][e2e]") {
  CHECK(test::fathom({"agent", "schema"}).out == test::slurp("agents/agent.schema.json"));
}
