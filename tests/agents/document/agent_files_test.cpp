#include "agents/document/agent_files.hpp"

#include "agents/document/shipped_agents.hpp"
#include "agents/toolbox.hpp"
#include "tests/agents/document/fixture.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <filesystem>

using namespace fathom;
using namespace fathom::agents;
namespace fs = std::filesystem;

namespace {

struct Desk {
  test::TempDir dir;
  fs::path home = fs::canonical(dir.path());
  fs::path repo = home / "w";
  GetEnv env = [this](const char* name) {
    return std::string(name) == "HOME" ? home.string() : std::string();
  };

  Desk() { fs::create_directories(repo); }
  fs::path user(const std::string& name, const std::string& text) const {
    return dir.write(".config/fathom/agents/" + name, text);
  }
  [[nodiscard]] Result<FoundAgent> find(const std::string& name) const {
    return find_agent(name, repo, env);
  }
  [[nodiscard]] std::string error(const std::string& name) const {
    const auto found = find(name);
    return found ? "found" : found.error().message;
  }
};

std::string named(const std::string& name, const std::string& body = "") {
  return "apiVersion: fathom/v1\nkind: Agent\nname: " + name + "\nprompt: p\n" + body;
}

}  // namespace

TEST_CASE("the shipped agents load and are what they say", "[agents]") {
  const Desk desk;
  for (const ShippedAgent& shipped : shipped_agents()) {
    INFO(shipped.name);
    const auto found = desk.find(std::string(shipped.name));
    REQUIRE(found);
    CHECK(found->agent.name == shipped.name);
    CHECK_FALSE(found->agent.description.empty());
    CHECK(found->text == shipped.text);
    CHECK(found->origin == AgentOrigin::built_in);
    CHECK(shipped.text == test::slurp("agents/" + std::string(shipped.name) + ".yaml"));
  }
  const AgentDocument coder = desk.find("coder")->agent;
  CHECK(coder.tools == default_tools());
  AgentDocument plain;
  plain.name = coder.name;
  plain.description = coder.description;
  plain.prompt = coder.prompt;
  plain.tools = default_tools();
  CHECK(coder == plain);  // what it states are the defaults that it explains
  for (const char* reader : {"reviewer", "explorer"}) {
    const AgentDocument agent = desk.find(reader)->agent;
    CHECK(agent.policy == "readonly");
    CHECK(std::ranges::count(agent.tools, "bash") == 0);
  }
}

TEST_CASE("the shipped coder shows every key that there is", "[agents]") {
  const std::string_view text = shipped_agents().front().text;
  for (const AgentKeys& section : agent_keys())
    for (const std::string_view key : section.keys) {
      INFO(key);
      CHECK(text.find(std::string(key) + ":") != std::string_view::npos);
    }
}

TEST_CASE("a name is the shipped agent, then the user's, then a file", "[agents]") {
  const Desk desk;
  (void)desk.user("mine.yaml", named("mine"));
  (void)desk.user("coder.yaml", named("coder"));
  const fs::path file = desk.dir.write("x.yaml", named("other"));
  CHECK(desk.find("coder")->origin == AgentOrigin::built_in);
  CHECK(desk.find("mine")->origin == AgentOrigin::user);
  CHECK(desk.find("mine")->file == (desk.home / ".config/fathom/agents/mine.yaml").string());
  const auto found = desk.find(file.string());
  REQUIRE(found);
  CHECK(found->origin == AgentOrigin::file);
  CHECK(found->agent.name == "other");
  CHECK(found->text == named("other"));
}

TEST_CASE("an agent that is nowhere is answered with the nearest name", "[agents]") {
  const Desk desk;
  (void)desk.user("mine.yaml", named("mine"));
  CHECK(desk.error("codr") == "agent: no file and none called 'codr' (did you mean 'coder'?)");
  CHECK(desk.error("") ==
        "agent: no file and none called '' (one of: coder, reviewer, explorer, demo, mine)");
  CHECK(desk.find("codr").error().code == ErrorCode::not_found);
}

TEST_CASE("a user's agent is called as its file", "[agents]") {
  const Desk desk;
  const fs::path file = desk.user("mine.yaml", named("yours"));
  CHECK(desk.error("mine") == fs::canonical(file).string() +
                                  ": name: 'yours' in a file of another name (make them the same)");
}

TEST_CASE("a repository's agent is found by its path only", "[agents]") {
  const Desk desk;
  const fs::path file = desk.dir.write("w/.fathom/agents/local.yaml", named("local"));
  CHECK(desk.find("local").error().code == ErrorCode::not_found);
  CHECK(desk.find(file.string())->origin == AgentOrigin::repository);
}

TEST_CASE("a repository's agent chooses neither where text is sent nor a policy", "[agents]") {
  const Desk desk;
  const auto error = [&](const std::string& body) {
    const fs::path file = desk.dir.write("w/a.yaml", named("local", body));
    const std::string message = desk.error(file.string());
    const std::string prefix = fs::canonical(file).string() + ": ";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  };
  const std::string why =
      " in an agent of the repository (name an engine of ~/.config/fathom/config.yaml: the "
      "repository does not say where its text is sent)";
  CHECK(error("engine: openai:https://evil.example/v1\n") ==
        "engine: 'openai:https://evil.example/v1'" + why);
  CHECK(error("escalate: {to: \"replay:x\"}\n") == "escalate.to: 'replay:x'" + why);
  CHECK(error("policy: default\n") ==
        "policy: 'default' in an agent of the repository (it may name readonly only; --policy "
        "chooses another)");
  CHECK(error("policy: ./open.yaml\n").starts_with("policy: './open.yaml' in an agent"));
  CHECK(error("policy: readonly\nengine: fast\nescalate: {to: strong}\n") == "found");
}

TEST_CASE("a link into the repository is the repository's word", "[agents]") {
  const Desk desk;
  const fs::path file = desk.dir.write("w/a.yaml", named("local", "policy: default\n"));
  fs::create_symlink(file, desk.home / "a.yaml");
  CHECK(desk.error((desk.home / "a.yaml").string()).ends_with("--policy chooses another)"));
}

TEST_CASE("an answer's schema is read from beside its agent and from nowhere else", "[agents]") {
  const Desk desk;
  const fs::path file = desk.dir.write("d/a.yaml", named("x", "output: {schema: s/a.json}\n"));
  const std::string where = fs::canonical(file).string() + ": output.schema: 's/a.json': ";
  CHECK(desk.find(file.string()).error().code == ErrorCode::not_found);
  (void)desk.dir.write("d/s/a.json", "{\n \"type\": \"object\"\n}\n");
  CHECK(desk.find(file.string())->agent.answer_schema == R"({"type":"object"})");
  (void)desk.dir.write("d/s/a.json", "[1]");
  CHECK(desk.error(file.string()) == where + "it is no JSON object");
  (void)desk.dir.write("d/s/a.json", std::string(kAnswerSchemaBytesMax + 1, ' '));
  CHECK(desk.find(file.string()).error().code == ErrorCode::too_large);
  fs::remove(desk.home / "d/s/a.json");
  fs::create_symlink(desk.dir.write("secret.json", "{}"), desk.home / "d/s/a.json");
  CHECK(desk.error(file.string()).starts_with(where));
}

TEST_CASE("all agents are listed, and why one cannot be used", "[agents]") {
  const Desk desk;
  (void)desk.user("b.yaml", named("b", "description: does b\n"));
  (void)desk.user("a.yaml", named("a", "tols: []\n"));
  (void)desk.user("coder.yaml", named("coder"));
  (void)desk.user("README.md", "no agent");
  (void)desk.user("Bad Name.yaml", "no agent");
  std::vector<std::string> shown;
  for (const ListedAgent& agent : list_agents(desk.env).value())
    shown.push_back(std::string(name_of(agent.origin)) + " " + agent.name +
                    (agent.error.empty() ? "" : " !"));
  CHECK(shown == std::vector<std::string>{"built-in coder", "built-in reviewer",
                                          "built-in explorer", "built-in demo", "user a !",
                                          "user b", "user coder !"});
  CHECK(list_agents(desk.env)->back().error ==
        "the built-in one has this name (rename it, or give its path)");
}

TEST_CASE("an agent's file is read within a bound", "[agents]") {
  const Desk desk;
  const fs::path file = desk.dir.write("big.yaml", std::string(kAgentFileBytesMax + 1, '#'));
  CHECK(desk.find(file.string()).error().code == ErrorCode::too_large);
}
