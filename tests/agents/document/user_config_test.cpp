#include "agents/document/user_config.hpp"

#include "tests/support/catch.hpp"

#include <utility>
#include <vector>

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;

namespace {

// The first line of `body` is line 3.
Result<UserConfig> parse(const std::string& body) {
  return parse_user_config("apiVersion: fathom/v1\nkind: Config\n" + body, "c.yaml");
}

std::string error_of(const std::string& body) {
  const auto config = parse(body);
  return config ? "accepted" : config.error().message;
}

}  // namespace

TEST_CASE("a config that states nothing is the default value", "[agents]") {
  CHECK(parse("").value() == UserConfig{});
}

TEST_CASE("every key of a user's config is read, with its place", "[agents]") {
  UserConfig expected;
  expected.engine = {"fast", {3, 9}};
  expected.agent = {"reviewer", {4, 8}};
  expected.policy = {"readonly", {5, 9}};
  expected.engines = {{{"fast", "openai:http://127.0.0.1:8000/v1#flash"}, {7, 9}},
                      {{"v4", "local:/models/v4"}, {8, 7}}};
  expected.keys = {
      {{"api.deepseek.com", {KeySource::Kind::env, "DS_KEY", {}}}, {10, 21}},
      {{"a.example:8443", {KeySource::Kind::file, "~/.config/fathom/a.key", {}}}, {11, 21}},
      {{"b.example", {KeySource::Kind::command, "", {"pass", "show", "b"}}}, {12, 14}}};
  expected.budget.steps = {50, {14, 10}};
  expected.budget.tokens = {1000, {15, 11}};
  expected.budget.usd = {2.5, {16, 8}};
  expected.budget.wall = {2h, {17, 9}};
  expected.budget.tool_cpu = {90s, {18, 13}};
  expected.trace_bodies = {true, {19, 17}};
  CHECK(parse(R"(engine: fast
agent: reviewer
policy: readonly
engines:
  fast: openai:http://127.0.0.1:8000/v1#flash
  v4: local:/models/v4
keys:
  api.deepseek.com: {env: DS_KEY}
  "a.example:8443": {file: ~/.config/fathom/a.key}
  b.example: {command: [pass, show, b]}
budget:
  steps: 50
  tokens: 1000
  usd: 2.5
  wall: 2h
  tool_cpu: 90s
trace: {bodies: true}
)")
            .value() == expected);
}

TEST_CASE("every key of a user's config refuses what is none of its values", "[agents]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"test: {}\n",
       "1: unknown key 'test' (one of: apiVersion, kind, engine, agent, policy, engines, keys, "
       "budget, trace)"},
      {"engin: demo\n", "1: unknown key 'engin' (did you mean 'engine'?)"},
      {"engine: loca:/x\n", "9: engine: engine 'loca:/x': no kind 'loca' (did you mean 'local'?)"},
      {"engines: {fast: demo}\nengine: fasst\n",
       "9: engine: no engine of 'engines' is called 'fasst' (did you mean 'fast'?)"},
      {"engines: {F: demo}\n",
       "14: engines.F: a name has small letters, digits and - _ . only, and is no SPEC of its own"},
      {"engines: {demo: demo}\n",
       "17: engines.demo: a name has small letters, digits and - _ . only, and is no SPEC of its "
       "own"},
      {"engines: {x: y.z}\n",
       "14: engines.x: engine 'y.z': write local:DIR, demo, openai:URL[#MODEL], "
       "anthropic:URL[#MODEL] or replay:FILE"},
      {"keys: {A: {env: X}}\n",
       "11: keys.A: write the host as HOST or HOST:PORT, in small letters"},
      {"keys: {a.b: {}}\n",
       "13: keys.a.b: say where the key is: {env: NAME}, {file: PATH} or {command: [WORD, …]}; a "
       "key itself has no place here"},
      {"keys: {a: {env: X, file: /x}}\n",
       "11: keys.a: say where the key is: {env: NAME}, {file: PATH} or {command: [WORD, …]}; a key "
       "itself has no place here"},
      {"keys: {a: {file: x}}\n", "18: keys.a.file: is no absolute path (begin it with / or ~/)"},
      {"keys: {a: {command: []}}\n", "21: keys.a.command: is empty (write the command)"},
      {"trace: {bodies: some}\n", "17: trace.bodies: 'some' where true or false should be"},
      {"trace: {body: true}\n", "9: trace: unknown key 'body' (one of: bodies)"},
      {"budget: {steps: 0}\n",
       "17: budget.steps: '0' is no number that fits (between 1 and 10000)"},
      {"budget: {wall: 31000h}\n",
       "16: budget.wall: '31000h' is no duration (write it as 10m, 90s, 250ms or 2h)"},
      {"budget: {wall: 721h}\n", "16: budget.wall: '721h' is out of range (between 1s and 720h)"},
  };
  for (const auto& [body, expected] : cases) {
    INFO(body);
    const std::string error = error_of(body);
    const bool second = body.find("\nengine") != std::string::npos;
    CHECK(error == std::string("c.yaml: line ") + (second ? "4" : "3") + ": column " + expected);
  }
  CHECK(parse_user_config("apiVersion: fathom/v1\nkind: Agent\n", "c").error().message ==
        "c: line 2: column 7: kind: 'Agent' is no config (write 'kind: Config')");
}

TEST_CASE("a key that was written into the config is not repeated in the error", "[agents]") {
  const std::string key = "sk-0123456789abcdef";
  for (const std::string& body :
       {"keys: {api.deepseek.com: " + key + "}\n", "keys: {api.deepseek.com: {env: " + key + "}}\n",
        "keys: {api.deepseek.com: {file: " + key + "}}\n",
        "keys: {api.deepseek.com: {command: " + key + "}}\n",
        "keys: {api.deepseek.com: [" + key + "]}\n", "engine: openai:https://x:" + key + "@h/v1\n",
        "engines: {x: \"openai:https://x:" + key + "@h/v1\"}\n"}) {
    INFO(body);
    const std::string error = error_of(body);
    CHECK(error != "accepted");
    CHECK(error.find("0123456789") == std::string::npos);
  }
}

TEST_CASE("a config names no more engines and keys than a person writes", "[agents]") {
  const auto many = [](const char* section, std::size_t count, const char* value) {
    std::string out = std::string(section) + ":\n";
    for (std::size_t i = 0; i < count; ++i) out += "  n" + std::to_string(i) + ": " + value + "\n";
    return out;
  };
  CHECK(error_of(many("engines", kConfigEnginesMax, "demo")) == "accepted");
  CHECK(error_of(many("engines", kConfigEnginesMax + 1, "demo")) ==
        "c.yaml: line 4: column 3: engines: a mapping of more than 64");
  CHECK(error_of(many("keys", kConfigKeysMax, "{env: X}")) == "accepted");
  CHECK(error_of(many("keys", kConfigKeysMax + 1, "{env: X}")) ==
        "c.yaml: line 4: column 3: keys: a mapping of more than 64");
}
