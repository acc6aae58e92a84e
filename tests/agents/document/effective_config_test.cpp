#include "agents/document/effective_config.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <map>

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;
using Kind = ConfigOrigin::Kind;

namespace {

struct Desk {
  test::TempDir dir;
  std::string home = std::filesystem::canonical(dir.path()).string();
  std::map<std::string, std::string> variables = {{"HOME", home}};
  std::string file = home + "/.config/fathom/config.yaml";

  void write(const std::string& body) const {
    const auto path =
        dir.write(".config/fathom/config.yaml", "apiVersion: fathom/v1\nkind: Config\n" + body);
    REQUIRE(::chmod(path.c_str(), 0600) == 0);
  }
  [[nodiscard]] Result<EffectiveConfig> load(const ConfigFlags& flags = {}) const {
    return load_effective_config(flags, [this](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? std::string() : found->second;
    });
  }
};

FoundAgent agent(const std::string& engine, const std::string& policy,
                 AgentOrigin origin = AgentOrigin::user) {
  FoundAgent found;
  found.agent.name = "a";
  found.agent.engine = engine;
  found.agent.policy = policy;
  found.origin = origin;
  return found;
}

}  // namespace

TEST_CASE("without a config the built-in values hold", "[agents]") {
  const Desk desk;
  const EffectiveConfig config = desk.load().value();
  CHECK(config.agent == ConfigValue{"coder", {}});
  CHECK(config.policy == ConfigValue{"default", {}});
  CHECK(config.engine == ConfigValue{"", {}});
  CHECK(config.file == desk.file);
}

TEST_CASE("a flag goes before the environment, that before the file", "[agents]") {
  Desk desk;
  desk.write("engine: demo\nagent: reviewer\npolicy: readonly\n");
  CHECK(desk.load()->engine == ConfigValue{"demo", {Kind::file, desk.file, {3, 9}}});
  CHECK(desk.load()->engine.origin.to_string() == desk.file + ":3");
  desk.variables.insert({{"FATHOM_ENGINE", "local:/m"},
                         {"FATHOM_AGENT", "explorer"},
                         {"FATHOM_POLICY", "ci-repair"}});
  const EffectiveConfig config = desk.load({.engine = "", .agent = "coder", .policy = ""}).value();
  CHECK(config.engine == ConfigValue{"local:/m", {Kind::environment, "FATHOM_ENGINE", {}}});
  CHECK(config.agent == ConfigValue{"coder", {Kind::flag, "--agent", {}}});
  CHECK(config.policy == ConfigValue{"ci-repair", {Kind::environment, "FATHOM_POLICY", {}}});
}

TEST_CASE("an agent stands between what is said of this run and of all runs", "[agents]") {
  Desk desk;
  desk.write("engine: demo\npolicy: default\n");
  const FoundAgent own = agent("local:/m", "readonly");
  RunSettings settings = settle(*desk.load(), own).value();
  CHECK(settings.engine == engine::EngineSpec{engine::EngineSpec::Kind::local, "/m", ""});
  CHECK(settings.engine_stated.origin.to_string() == "agent a");
  CHECK(settings.policy.text == "readonly");
  settings = settle(*desk.load(), agent("", "")).value();
  CHECK(settings.engine.kind == engine::EngineSpec::Kind::demo);
  CHECK(settings.policy.origin.kind == Kind::file);
  desk.variables["FATHOM_ENGINE"] = "replay:x";
  settings =
      settle(desk.load({.engine = "", .agent = "", .policy = "ci-repair"}).value(), own).value();
  CHECK(settings.engine.kind == engine::EngineSpec::Kind::replay);
  CHECK(settings.policy.text == "ci-repair");
}

TEST_CASE("a repository's agent does not replace the policy that the user chose", "[agents]") {
  const Desk desk;
  desk.write("engine: demo\npolicy: /home/u/strict.yaml\n");
  const FoundAgent theirs = agent("", "readonly", AgentOrigin::repository);
  CHECK(settle(*desk.load(), theirs)->policy.text == "/home/u/strict.yaml");
  desk.write("engine: demo\n");
  CHECK(settle(*desk.load(), theirs)->policy.text == "readonly");
}

TEST_CASE("an engine is found by its name in the config", "[agents]") {
  const Desk desk;
  desk.write("engine: fast\nengines: {fast: \"local:/m\", strong: demo}\n");
  const EffectiveConfig config = desk.load().value();
  CHECK(settle(config, agent("", ""))->engine.place == "/m");
  CHECK(settle(config, agent("strong", ""))->engine.kind == engine::EngineSpec::Kind::demo);
  CHECK(settle(config, agent("storng", "")).error().message ==
        "agent a: engine: no SPEC, and none in " + desk.file +
            " called 'storng' (did you mean 'strong'?)");
  CHECK(resolve_engine("deepseek-v4-pro", config)->model == "deepseek-v4-pro");
}

TEST_CASE("a run without an engine says where one can be named", "[agents]") {
  const Desk desk;
  const auto settings = settle(*desk.load(), agent("", ""));
  CHECK(settings.error().message ==
        "no engine: give --engine SPEC, set FATHOM_ENGINE, or write 'engine: SPEC' into " +
            desk.file);
}

TEST_CASE("of the agent's budget and the user's caps the smaller one counts", "[agents]") {
  const Desk desk;
  desk.write("engine: demo\nbudget: {steps: 100, tokens: 5000, usd: 2, wall: 1h}\n");
  FoundAgent found = agent("", "");
  found.agent.budget = {200, std::nullopt, 1.5, 2h, 30s, 0.1};
  CHECK(settle(*desk.load(), found)->budget == BudgetSettings{100, 5000, 1.5, 1h, 30s, 0.1});
}

TEST_CASE("a config that others may write is not read", "[agents]") {
  const Desk desk;
  desk.write("engine: demo\n");
  for (const mode_t mode : {0620U, 0602U, 0666U}) {
    REQUIRE(::chmod(desk.file.c_str(), mode) == 0);
    const auto config = desk.load();
    REQUIRE_FALSE(config);
    CHECK(config.error() ==
          Error{ErrorCode::permission,
                "config " + desk.file + ": others may write it (chmod go-w " + desk.file + ")"});
  }
}

TEST_CASE("a config that is wrong stops with its place, one that is a folder with its name",
          "[agents]") {
  const Desk desk;
  desk.write("engin: demo\n");
  CHECK(desk.load().error().message ==
        desk.file + ": line 3: column 1: unknown key 'engin' (did you mean 'engine'?)");
  std::filesystem::remove(desk.file);
  std::filesystem::create_directory(desk.file);
  REQUIRE(::chmod(desk.file.c_str(), 0700) == 0);
  CHECK(desk.load().error().message.find(desk.file) != std::string::npos);
}

TEST_CASE("every value of the config is listed with its origin and no key is", "[agents]") {
  Desk desk;
  desk.write(
      "engines: {fast: demo}\nkeys: {a.example: {env: A_KEY}, b.example: {file: /k}, c.example: "
      "{command: [pass, c]}}\nbudget: {steps: 9, usd: 0.5, wall: 90s}\n");
  desk.variables["A_KEY"] = "sk-secret";
  std::vector<std::string> lines;
  for (const ConfigLine& line : config_lines(*desk.load()))
    lines.push_back(line.key + "=" + line.value + "@" +
                    (line.origin.kind == Kind::file ? std::to_string(line.origin.at.line)
                                                    : line.origin.to_string()));
  CHECK(lines == std::vector<std::string>{"agent=coder@built-in", "engine=@built-in",
                                          "policy=default@built-in", "engines.fast=demo@3",
                                          "keys.a.example=env A_KEY@4", "keys.b.example=file /k@4",
                                          "keys.c.example=command pass c@4", "budget.steps=9@5",
                                          "budget.usd=0.5@5", "budget.wall=90s@5"});
}
