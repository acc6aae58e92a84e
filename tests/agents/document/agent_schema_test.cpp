// The published schema is held to what the loader does.
#include "agents/document/agent_document.hpp"
#include "agents/document/shipped_agents.hpp"
#include "agents/toolbox.hpp"
#include "tests/agents/document/fixture.hpp"
#include "tests/support/schema_check.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <set>

using namespace fathom;
using namespace fathom::agents;

namespace {

bool accepts(const std::string& body) {
  return test::fits_schema(agent_schema(), agent_text(body));
}

}  // namespace

TEST_CASE("the agents' schema and loader know the same keys", "[agents]") {
  std::map<std::string, std::set<std::string>> known;
  for (const AgentKeys& section : agent_keys())
    known[std::string(section.section)] = {section.keys.begin(), section.keys.end()};
  CHECK(test::keys_in_schema(agent_schema()) == known);
}

TEST_CASE("the agents' schema requires what the loader requires", "[agents]") {
  const std::vector<std::string> lines = {"apiVersion: fathom/v1\n", "kind: Agent\n", "name: x\n",
                                          "prompt: p\n"};
  for (std::size_t missing = 0; missing < lines.size(); ++missing) {
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) text += i == missing ? "" : lines[i];
    INFO(text);
    CHECK_FALSE(test::fits_schema(agent_schema(), text));
    CHECK(text_error(text) != "accepted");
  }
}

TEST_CASE("the agents' schema offers the words that the loader takes", "[agents]") {
  const auto schema = nlohmann::json::parse(agent_schema())["properties"];
  const auto words = [](const nlohmann::json& at) { return at.get<std::vector<std::string>>(); };
  const auto tools = known_tools();
  CHECK(words(schema["tools"]["items"]["enum"]) ==
        std::vector<std::string>(tools.begin(), tools.end()));
  CHECK(words(schema["sampling"]["properties"]["effort"]["enum"]) ==
        std::vector<std::string>(kEffortNames.begin(), kEffortNames.end()));
  CHECK(words(schema["escalate"]["properties"]["on"]["items"]["enum"]) ==
        std::vector<std::string>(kEscalateOnNames.begin(), kEscalateOnNames.end()));
}

TEST_CASE("the shipped agents fit their schema", "[agents]") {
  for (const ShippedAgent& agent : shipped_agents()) {
    INFO(agent.name);
    CHECK(test::fits_schema(agent_schema(), agent.text));
  }
}

TEST_CASE("what the agents' schema refuses the loader refuses", "[agents]") {
  for (const char* body : {"tool: [bash]\n",
                           "tools: [bsh]\n",
                           "tools: []\n",
                           "tools: bash\n",
                           "tools_in_prompt: 1\n",
                           "mcp: [x]\n",
                           "agents: [a/b]\n",
                           "context: {window_tokens: 4095}\n",
                           "context: {compact_at: 0.4}\n",
                           "budget: {steps: 0}\n",
                           "budget: {steps: 10001}\n",
                           "budget: {tokens: 999}\n",
                           "budget: {usd: 0}\n",
                           "budget: {wall: 10}\n",
                           "budget: {wrap_up: 0.6}\n",
                           "output: {}\n",
                           "output: {schema: [a]}\n",
                           "sampling: {temperature: 2.5}\n",
                           "sampling: {top_p: 0}\n",
                           "sampling: {seed: 9007199254740992}\n",
                           "sampling: {effort: medium}\n",
                           "sampling: {answer_tokens: 0}\n",
                           "attempts: 17\n",
                           "accept: {timeout: 1m}\n",
                           "accept: {command: []}\n",
                           "escalate: {on: [loop]}\n",
                           "escalate: {to: demo, on: []}\n",
                           "policy: [a]\n"}) {
    INFO(body);
    CHECK_FALSE(accepts(body));
    CHECK(text_error(agent_text(body)) != "accepted");
  }
  CHECK(accepts("budget: {usd: 1.5}\naccept: {command: make}\nattempts: 2\n"));
}
