#include "agents/document/agent_document.hpp"

#include "agents/toolbox.hpp"
#include "tests/agents/document/fixture.hpp"

#include <utility>
#include <vector>

using namespace fathom;
using namespace fathom::agents;
using namespace std::chrono_literals;

namespace {

using Cases = std::vector<std::pair<std::string, std::string>>;

// What follows "a.yaml: line 5: column " in the error of a body of one line.
void check_errors(const Cases& cases) {
  for (const auto& [body, expected] : cases) {
    INFO(body);
    CHECK(text_error(agent_text(body)) == "a.yaml: line 5: column " + expected);
  }
}

std::string repeated_items(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "n" : ", n") + std::to_string(i);
  return "[" + out + "]";
}

}  // namespace

TEST_CASE("an agent that states no more than it must has the defaults", "[agents]") {
  AgentDocument expected;
  expected.name = "mine";
  expected.prompt = "Be useful.";
  expected.tools = default_tools();
  CHECK(load("") == expected);
  CHECK(expected.tools == std::vector<std::string>{"bash", "str_replace_editor"});
  CHECK(expected.instructions == std::vector<std::string>{"AGENTS.md", "CLAUDE.md"});
  CHECK(expected.budget.steps == 200);
}

TEST_CASE("every key of an agent is read", "[agents]") {
  AgentDocument expected;
  expected.name = "mine";
  expected.description = "finds out";
  expected.prompt = "Be useful.";
  expected.engine = "openai:http://127.0.0.1:8000/v1#m";
  expected.tools_in_prompt = false;
  expected.guided_calls = true;
  expected.instructions = {"docs/AGENTS.md"};
  expected.skills = {".fathom/skills", "tools/x"};
  expected.tools = {"search", "bash"};
  expected.mcp = {"docs=server --stdio", "web=https://mcp.example/x"};
  expected.agents = {"explorer"};
  expected.context = {65536, 0.7};
  expected.budget = {50, 2000000, 1.25, 30min, 90s, 0.1};
  expected.answer_schema =
      R"({"type":"object","properties":{"count":{"type":"integer","minimum":-1},)"
      R"("s":{"enum":["1",1,1.5,true,"x",null]}},"required":["count"]})";
  expected.sampling = {0.6, 0.95, 42, "high", 8192};
  expected.attempts = 3;
  expected.accept = AcceptCheck{{"make", "test"}, 5min};
  expected.escalate = Escalation{"strong", {EscalateOn::engine_error, EscalateOn::loop}};
  expected.policy = "readonly";
  CHECK(load(R"(description: finds out
engine: openai:http://127.0.0.1:8000/v1#m
tools_in_prompt: false
guided_calls: true
instructions: [docs/AGENTS.md]
skills: [.fathom/skills, tools/x]
tools: [search, bash]
mcp: ["docs=server --stdio", "web=https://mcp.example/x"]
agents: [explorer]
context: {window_tokens: 65536, compact_at: 0.7}
budget: {steps: 50, tokens: 2000000, usd: 1.25, wall: 30m, tool_cpu: 90s, wrap_up: 0.1}
output:
  schema:
    type: object
    properties:
      count: {type: integer, minimum: -1}
      s: {enum: ["1", 1, 1.5, true, x, null]}
    required: [count]
sampling: {temperature: 0.6, top_p: 0.95, seed: 42, effort: high, answer_tokens: 8192}
attempts: 3
accept: {command: [make, test], timeout: 5m}
escalate: {to: strong, on: [engine_error, loop]}
policy: readonly
)") == expected);
}

TEST_CASE("a check written as text is the shell's", "[agents]") {
  CHECK(load("accept: {command: make && make test}\n").accept ==
        AcceptCheck{{"/bin/sh", "-c", "make && make test"}, 10min});
}

TEST_CASE("a schema may be a file beside the document", "[agents]") {
  const AgentDocument agent = load("output: {schema: answer.schema.json}\n");
  CHECK(agent.answer_schema_file == "answer.schema.json");
  CHECK(agent.answer_schema.empty());
}

TEST_CASE("an engine is a SPEC, or a name that the user's config knows", "[agents]") {
  CHECK(load("engine: local:/models/v4\n").engine == "local:/models/v4");
  CHECK(load("engine: deepseek-v4-pro\n").engine == "deepseek-v4-pro");
  CHECK(load("engine: my_engine\n").engine == "my_engine");
  CHECK(load("escalate: {to: demo}\n").escalate->on ==
        std::vector{EscalateOn::no_progress, EscalateOn::loop});
}

TEST_CASE("lists may be empty where nothing is a meaning", "[agents]") {
  const AgentDocument agent = load("instructions: []\nskills: []\nmcp: []\nagents: []\n");
  CHECK(agent.instructions.empty());
}

TEST_CASE("the head of an agent is checked", "[agents]") {
  const std::string head = "apiVersion: fathom/v1\nkind: Agent\n";
  const Cases cases = {
      {"", "line 1: column 1: nothing where a mapping should be (write 'key: value' lines)"},
      {"[]", "line 1: column 1: a list where a mapping should be (write 'key: value' lines)"},
      {"kind: Agent\n", "line 1: column 1: 'apiVersion' is missing (add 'apiVersion: …')"},
      {"apiVersion: fathom/v2\nkind: Agent\n",
       "line 1: column 13: apiVersion: this version reads 'fathom/v1'"},
      {"apiVersion: fathom/v1\n", "line 1: column 1: 'kind' is missing (add 'kind: …')"},
      {"apiVersion: fathom/v1\nkind: Policy\n",
       "line 2: column 7: kind: 'Policy' is no agent (write 'kind: Agent')"},
      {head, "line 1: column 1: 'name' is missing (add 'name: …')"},
      {head + "name: x\n", "line 1: column 1: 'prompt' is missing (add 'prompt: …')"},
      {head + "name: X\nprompt: p\n",
       "line 3: column 7: name: a name has small letters, digits and - _ . only"},
      {head + "name: ..\nprompt: p\n",
       "line 3: column 7: name: a name has small letters, digits and - _ . only"},
      {head + "name: " + std::string(65, 'x') + "\nprompt: p\n",
       "line 3: column 7: name: text of more than 64 bytes (shorten it)"},
      {head + "name: x\nprompt: \" \\n\"\n",
       "line 4: column 9: prompt: is empty (say who the agent is and what it does)"},
      {head + "name: x\nname: y\nprompt: p\n",
       "line 4: column 1: duplicate key 'name' (first at line 3): keep one of them"},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    CHECK(text_error(text) == "a.yaml: " + expected);
  }
}

TEST_CASE("an unknown key of an agent is named with the nearest one", "[agents]") {
  check_errors({
      {"tool: [bash]\n", "1: unknown key 'tool' (did you mean 'tools'?)"},
      {"context: {compact: 0.8}\n",
       "11: context: unknown key 'compact' (one of: window_tokens, compact_at)"},
      {"budget: {step: 1}\n", "10: budget: unknown key 'step' (did you mean 'steps'?)"},
      {"output: {shema: {}}\n", "10: output: unknown key 'shema' (did you mean 'schema'?)"},
      {"sampling: {temprature: 1}\n",
       "12: sampling: unknown key 'temprature' (did you mean 'temperature'?)"},
      {"accept: {comand: x}\n", "10: accept: unknown key 'comand' (did you mean 'command'?)"},
      {"escalate: {too: demo}\n", "12: escalate: unknown key 'too' (did you mean 'to'?)"},
  });
}

TEST_CASE("every key of an agent refuses what is none of its values", "[agents]") {
  check_errors({
      {"description: \"a\\nb\"\n",
       "14: description: has a line break or another control character (remove it)"},
      {"engine: loca:/x\n", "9: engine: engine 'loca:/x': no kind 'loca' (did you mean 'local'?)"},
      {"tools_in_prompt: 1\n", "18: tools_in_prompt: '1' where true or false should be"},
      {"instructions: AGENTS.md\n",
       "15: instructions: text where a list should be (write [a, b], or a line '- a' for each)"},
      {"instructions: [/etc/passwd]\n",
       "16: instructions[0]: '/etc/passwd' is no path in the repository (write it relative, "
       "without '..')"},
      {"instructions: [a, x/../../b]\n",
       "19: instructions[1]: 'x/../../b' is no path in the repository (write it relative, without "
       "'..')"},
      {"skills: [..]\n",
       "10: skills[0]: '..' is no path in the repository (write it relative, without '..')"},
      {"skills: [a, a]\n", "13: skills[1]: 'a' is there twice (remove one)"},
      {"tools: [bsh]\n", "9: tools[0]: unknown word 'bsh' (did you mean 'bash'?)"},
      {"tools: [task]\n",
       "9: tools[0]: 'task' comes with the agents it may start (write them under 'agents' "
       "instead)"},
      {"tools: []\n", "8: tools: is empty (write a tool, or remove the key for the usual two)"},
      {"tools: [bash, bash]\n", "15: tools[1]: 'bash' is there twice (remove one)"},
      {"mcp: [a=x, a=y]\n", "12: mcp[1]: 'a' names two servers (rename one)"},
      {"agents: [x/y.yaml]\n",
       "10: agents[0]: 'x/y.yaml' is no agent's name (small letters, digits and - _ .)"},
      {"output: {}\n", "9: output: 'schema' is missing (add 'schema: …')"},
      {"output: {schema: [a]}\n", "18: output.schema: a list where text should be"},
      {"output: {schema: /x.json}\n",
       "18: output.schema: '/x.json' is no path beside this document (write it relative, without "
       "'..', or write the schema here)"},
      {"sampling: {effort: medium}\n",
       "20: sampling.effort: unknown word 'medium' (one of: none, low, high, max)"},
      {"attempts: 2\n",
       "11: attempts: more than one needs 'accept': without a check nobody knows which of them "
       "succeeded"},
      {"accept: {timeout: 1m}\n", "9: accept: 'command' is missing (add 'command: …')"},
      {"accept: {command: []}\n", "19: accept.command: is empty (write it, or remove it)"},
      {"accept: {command: [\"\"]}\n", "19: accept.command: is empty (write it, or remove it)"},
      {"accept: {command: \" \"}\n", "19: accept.command: is empty (write it, or remove it)"},
      {"escalate: {on: [loop]}\n", "11: escalate: 'to' is missing (add 'to: …')"},
      {"escalate: {to: demo, on: []}\n",
       "26: escalate.on: is empty (write when, or remove the key)"},
      {"escalate: {to: demo, on: [lop]}\n",
       "27: escalate.on[0]: unknown word 'lop' (did you mean 'loop'?)"},
      {"escalate: {to: demo, on: [loop, loop]}\n",
       "33: escalate.on[1]: is there twice (remove one)"},
      {"policy: \"\"\n", "9: policy: is empty (write it, or remove it)"},
  });
}

TEST_CASE("every quantity of an agent ends at its bounds", "[agents]") {
  struct Bound {
    std::string before;  // the value stands between these
    std::string after;
    std::vector<std::string> inside;
    std::vector<std::string> outside;
  };
  const std::vector<Bound> bounds = {
      {"context: {window_tokens: ", "}", {"4096", "16777216"}, {"4095", "16777217", "1.5", "-1"}},
      {"context: {compact_at: ", "}", {"0.5", "0.95"}, {"0.499999", "0.950001", "1", ".6", "5e-1"}},
      {"budget: {steps: ", "}", {"1", "10000"}, {"0", "10001"}},
      {"budget: {tokens: ", "}", {"1000", "1000000000000"}, {"999", "1000000000001"}},
      {"budget: {usd: ", "}", {"0.000001", "1000000"}, {"0", "1000000.1", "0.0000001", "1."}},
      {"budget: {wall: ", "}", {"1s", "720h"}, {"999ms", "721h", "10", "0s"}},
      {"budget: {tool_cpu: ", "}", {"1s", "720h"}, {"999ms", "721h"}},
      {"budget: {wrap_up: ", "}", {"0", "0.5"}, {"0.500001", "\"0.1\""}},
      {"sampling: {temperature: ", "}", {"0", "2"}, {"2.1", "-0.1"}},
      {"sampling: {top_p: ", "}", {"0.000001", "1"}, {"0", "1.1"}},
      {"sampling: {seed: ", "}", {"0", "9007199254740991"}, {"9007199254740992", "1.5"}},
      {"sampling: {answer_tokens: ", "}", {"1", "1048576"}, {"0", "1048577"}},
      {"accept: {command: x}\nattempts: ", "", {"1", "16"}, {"0", "17"}},
      {"accept: {command: x, timeout: ", "}", {"1s", "24h"}, {"999ms", "25h"}},
      {"instructions: ", "", {repeated_items(16)}, {repeated_items(17)}},
      {"skills: ", "", {repeated_items(16)}, {repeated_items(17)}},
      {"agents: ", "", {repeated_items(16)}, {repeated_items(17)}},
      {"accept: {command: ", "}", {repeated_items(256)}, {repeated_items(257)}},
      {"description: ",
       "",
       {std::string(kAgentDescriptionBytesMax, 'x')},
       {std::string(kAgentDescriptionBytesMax + 1, 'x')}},
      {"policy: ",
       "",
       {std::string(kAgentPathBytesMax, 'x')},
       {std::string(kAgentPathBytesMax + 1, 'x')}},
  };
  for (const Bound& bound : bounds) {
    for (const std::string& value : bound.inside) {
      INFO(bound.before << value.substr(0, 80));
      CHECK(text_error(agent_text(bound.before + value + bound.after + "\n")) == "accepted");
    }
    for (const std::string& value : bound.outside) {
      INFO(bound.before << value.substr(0, 80));
      CHECK(text_error(agent_text(bound.before + value + bound.after + "\n"))
                .starts_with("a.yaml: line "));
    }
  }
}

TEST_CASE("a prompt and an inline schema have a largest size", "[agents]") {
  const std::string head = "apiVersion: fathom/v1\nkind: Agent\nname: x\nprompt: ";
  CHECK(text_error(head + std::string(kAgentPromptBytesMax, 'p')) == "accepted");
  CHECK(text_error(head + std::string(kAgentPromptBytesMax + 1, 'p')) ==
        "a.yaml: line 4: column 9: prompt: text of more than 65536 bytes (shorten it)");
  const std::string half(kAnswerSchemaBytesMax / 2, 'x');
  CHECK(text_error(agent_text("output: {schema: {title: " + half + "}}\n")) == "accepted");
  CHECK(text_error(
            agent_text("output: {schema: {title: " + half + ", description: " + half + "}}\n")) ==
        "a.yaml: line 5: column 18: output.schema: a schema of more than 64.0 KiB (shorten it)");
}

TEST_CASE("a document that is too large is refused as a whole", "[agents]") {
  const auto agent = load_agent(std::string(std::size_t{2} << 20U, '#'), "a.yaml");
  REQUIRE_FALSE(agent);
  CHECK(agent.error().code == ErrorCode::too_large);
}

TEST_CASE("names of documents are names and no paths", "[agents]") {
  for (const char* name : {"coder", "a-b_c.d", "x1", "-"}) CHECK(is_document_name(name));
  for (const char* name : {"", ".", "..", "a/b", "A", "a b", "ä"})
    CHECK_FALSE(is_document_name(name));
}
