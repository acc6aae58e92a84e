#include "agents/document/agent_document.hpp"

#include "agents/toolbox.hpp"
#include "engine/session/engine_spec.hpp"
#include "policies/yaml_value.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "tools/mcp/mcp_servers.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace fathom::agents {
namespace {

using nlohmann::ordered_json;
using policies::YamlField;
using policies::YamlNode;
using policies::YamlValue;

constexpr std::size_t kWordBytesMax = 4096;
constexpr std::string_view kTaskTool = "task";

std::string shown(std::string_view text) {
  constexpr std::size_t kShownMax = 120;
  return "'" + to_printable(clip_middle(text, kShownMax)) + "'";
}

std::span<const std::string_view> keys_of(std::string_view section) {
  const auto table = agent_keys();
  const auto found = std::ranges::find(table, section, &AgentKeys::section);
  ENSURE(found != table.end(), "every section that is read is in the table");
  return found->keys;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// A path that stays below the folder it is relative to, whatever lies there.
bool is_below_its_folder(std::string_view path) {
  if (path.empty() || path.starts_with('/')) return false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (path.substr(begin, end - begin) == "..") return false;
    begin = end + 1;
  }
  return true;
}

// JSON of a schema that is written in YAML. Plain scalars are what JSON takes them for.
ordered_json to_json(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return nullptr;
    case YamlNode::Kind::sequence: {
      ordered_json out = ordered_json::array();
      for (const YamlNode& item : node.items) out.push_back(to_json(item));
      return out;
    }
    case YamlNode::Kind::mapping: {
      ordered_json out = ordered_json::object();
      for (const policies::YamlEntry& entry : node.entries) out[entry.key] = to_json(entry.value);
      return out;
    }
    case YamlNode::Kind::scalar:
      break;
  }
  if (node.quoted) return node.text;
  ordered_json plain = ordered_json::parse(node.text, nullptr, false);
  return plain.is_number() || plain.is_boolean() ? plain : ordered_json(node.text);
}

class AgentReader {
 public:
  Result<AgentDocument> read(const YamlValue& root);

 private:
  // Calls `read` with each field of a section; unknown keys are refused.
  template <class Read>
  static Result<> each(const YamlValue& section, Read read) {
    for (const YamlField& field : TRY(section.fields(keys_of(section.path()))))
      TRY(read(std::string_view(field.key), field.value));
    return {};
  }
  // The elements of a list, none of them twice.
  template <class Check>
  static Result<std::vector<std::string>> list(const YamlValue& value, std::size_t count_max,
                                               Check check) {
    std::vector<std::string> out;
    for (const YamlValue& item : TRY(value.items(count_max))) {
      std::string text = TRY(item.text(kAgentPathBytesMax));
      TRY(check(item, text));
      if (std::ranges::find(out, text) != out.end())
        return fail(item.error(shown(text) + " is there twice (remove one)"));
      out.push_back(std::move(text));
    }
    return out;
  }

  static Result<> header(const YamlValue& root);
  static Result<std::string> name(const YamlValue& value);
  static Result<std::string> prompt(const YamlValue& value);
  static Result<std::string> engine(const YamlValue& value);
  static Result<std::vector<std::string>> paths(const YamlValue& value, std::size_t count_max);
  static Result<std::vector<std::string>> tools(const YamlValue& value);
  static Result<std::vector<std::string>> mcp(const YamlValue& value);
  static Result<std::vector<std::string>> agents(const YamlValue& value);
  static Result<std::vector<std::string>> command(const YamlValue& value);
  Result<> context(const YamlValue& section);
  Result<> budget(const YamlValue& section);
  Result<> output(const YamlValue& section);
  Result<> sampling(const YamlValue& section);
  Result<> accept(const YamlValue& section);
  Result<> escalate(const YamlValue& section);
  Result<> part(std::string_view key, const YamlValue& value);
  Result<> section(std::string_view key, const YamlValue& value);

  AgentDocument agent_;
};

Result<> AgentReader::header(const YamlValue& root) {
  const YamlValue version = TRY(root.require("apiVersion"));
  if (TRY(version.text()) != "fathom/v1")
    return fail(version.error("this version reads 'fathom/v1'"));
  const YamlValue kind = TRY(root.require("kind"));
  if (TRY(kind.text()) != "Agent")
    return fail(kind.error(shown(TRY(kind.text())) + " is no agent (write 'kind: Agent')"));
  return {};
}

Result<std::string> AgentReader::name(const YamlValue& value) {
  std::string text = TRY(value.text(kAgentNameBytesMax));
  if (!is_document_name(text))
    return fail(value.error("a name has small letters, digits and - _ . only"));
  return text;
}

Result<std::string> AgentReader::prompt(const YamlValue& value) {
  std::string text = TRY(value.any_text(kAgentPromptBytesMax));
  if (is_blank(text)) return fail(value.error("is empty (say who the agent is and what it does)"));
  return text;
}

// A word alone may name an engine of the user's config, which is not known here.
Result<std::string> AgentReader::engine(const YamlValue& value) {
  std::string text = TRY(value.text(engine::kEngineSpecBytesMax));
  if (is_document_name(text)) return text;
  const auto spec = engine::parse_engine_spec(text);
  if (!spec) return fail(value.error(spec.error().message));
  return text;
}

Result<std::vector<std::string>> AgentReader::paths(const YamlValue& value, std::size_t count_max) {
  return list(value, count_max, [](const YamlValue& item, const std::string& text) -> Result<> {
    if (is_below_its_folder(text)) return {};
    return fail(item.error(shown(text) +
                           " is no path in the repository (write it relative, without '..')"));
  });
}

Result<std::vector<std::string>> AgentReader::tools(const YamlValue& value) {
  const std::vector<std::string_view> known = known_tools();
  auto out = TRY(
      list(value, kAgentToolsMax, [&](const YamlValue& item, const std::string& text) -> Result<> {
        if (text == kTaskTool)
          return fail(
              item.error("'task' comes with the agents it may start (write "
                         "them under 'agents' instead)"));
        TRY(item.choice(known));
        return {};
      }));
  if (out.empty())
    return fail(value.error("is empty (write a tool, or remove the key for the usual two)"));
  return out;
}

Result<std::vector<std::string>> AgentReader::mcp(const YamlValue& value) {
  std::vector<std::string> names;
  return list(value, kAgentMcpServersMax,
              [&](const YamlValue& item, const std::string& text) -> Result<> {
                const auto server = tools::parse_mcp_server(text);
                if (!server) return fail(item.error(server.error().message));
                if (std::ranges::find(names, server->name) != names.end())
                  return fail(item.error(shown(server->name) + " names two servers (rename one)"));
                names.push_back(server->name);
                return {};
              });
}

Result<std::vector<std::string>> AgentReader::agents(const YamlValue& value) {
  return list(value, kSubAgentsMax, [](const YamlValue& item, const std::string& text) -> Result<> {
    if (is_document_name(text)) return {};
    return fail(item.error(shown(text) + " is no agent's name (small letters, digits and - _ .)"));
  });
}

// Text is the shell's, as a person would type it.
Result<std::vector<std::string>> AgentReader::command(const YamlValue& value) {
  std::vector<std::string> out;
  if (!value.is_sequence()) {
    std::string script = TRY(value.any_text());
    if (is_blank(script)) return fail(value.error("is empty (write it, or remove it)"));
    return std::vector<std::string>{"/bin/sh", "-c", std::move(script)};
  }
  for (const YamlValue& word : TRY(value.items(kAcceptWordsMax)))
    out.push_back(TRY(word.any_text(kWordBytesMax)));
  if (out.empty() || out.front().empty())
    return fail(value.error("is empty (write it, or remove it)"));
  return out;
}

Result<> AgentReader::context(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    if (key == "window_tokens") {
      agent_.context.window_tokens = TRY(value.integer(kWindowTokensMin, kWindowTokensMax));
    } else {
      agent_.context.compact_at = TRY(value.decimal(kCompactAtMin, kCompactAtMax));
    }
    return {};
  });
}

Result<> AgentReader::budget(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    BudgetSettings& budget = agent_.budget;
    if (key == "steps") {
      budget.steps = TRY(value.integer(1, kBudgetStepsMax));
    } else if (key == "tokens") {
      budget.tokens = TRY(value.integer(kBudgetTokensMin, kBudgetTokensMax));
    } else if (key == "usd") {
      budget.usd = TRY(value.decimal(kBudgetUsdMin, kBudgetUsdMax));
    } else if (key == "wall") {
      budget.wall = TRY(value.duration(kBudgetTimeMin, kBudgetTimeMax));
    } else if (key == "tool_cpu") {
      budget.tool_cpu = TRY(value.duration(kBudgetTimeMin, kBudgetTimeMax));
    } else {
      budget.wrap_up = TRY(value.decimal(0, kWrapUpMax));
    }
    return {};
  });
}

Result<> AgentReader::output(const YamlValue& section) {
  (void)TRY(section.fields(keys_of("output")));
  const YamlValue schema = TRY(section.require("schema"));
  if (schema.is_mapping()) {
    agent_.answer_schema = to_json(schema.node()).dump();
    if (agent_.answer_schema.size() > kAnswerSchemaBytesMax)
      return fail(schema.error("a schema of more than " + format_bytes(kAnswerSchemaBytesMax) +
                               " (shorten it)"));
    return {};
  }
  agent_.answer_schema_file = TRY(schema.text(kAgentPathBytesMax));
  if (!is_below_its_folder(agent_.answer_schema_file))
    return fail(schema.error(shown(agent_.answer_schema_file) +
                             " is no path beside this document (write it relative, without '..', "
                             "or write the schema here)"));
  return {};
}

Result<> AgentReader::sampling(const YamlValue& section) {
  return each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    engine::SamplingSettings& sampling = agent_.sampling;
    if (key == "temperature") {
      sampling.temperature = TRY(value.decimal(0, kTemperatureMax));
    } else if (key == "top_p") {
      sampling.top_p = TRY(value.decimal(kTopPMin, 1));
    } else if (key == "seed") {
      sampling.seed = TRY(value.integer(0, kSeedMax));
    } else if (key == "effort") {
      sampling.effort = kEffortNames[TRY(value.choice(kEffortNames))];
    } else {
      sampling.answer_tokens_max = TRY(value.integer(1, kAnswerTokensMax));
    }
    return {};
  });
}

Result<> AgentReader::accept(const YamlValue& section) {
  AcceptCheck accept;
  TRY(each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    if (key == "command") {
      accept.command = TRY(command(value));
    } else if (key == "after") {
      accept.after_edits = TRY(value.choice(kAcceptAfterNames)) == 1;
    } else {
      accept.timeout = TRY(value.duration(kAcceptTimeMin, kAcceptTimeMax));
    }
    return {};
  }));
  TRY(section.require("command"));
  agent_.accept = std::move(accept);
  return {};
}

Result<> AgentReader::escalate(const YamlValue& section) {
  Escalation escalate;
  TRY(each(section, [&](std::string_view key, const YamlValue& value) -> Result<> {
    if (key == "to") {
      escalate.to = TRY(engine(value));
      return {};
    }
    escalate.on.clear();
    for (const YamlValue& item : TRY(value.items(kEscalateOnNames.size()))) {
      const auto on = static_cast<EscalateOn>(TRY(item.choice(kEscalateOnNames)));
      if (std::ranges::find(escalate.on, on) != escalate.on.end())
        return fail(item.error("is there twice (remove one)"));
      escalate.on.push_back(on);
    }
    if (escalate.on.empty()) return fail(value.error("is empty (write when, or remove the key)"));
    return {};
  }));
  TRY(section.require("to"));
  agent_.escalate = std::move(escalate);
  return {};
}

// The keys that hold one value or a list.
Result<> AgentReader::part(std::string_view key, const YamlValue& value) {
  if (key == "name") agent_.name = TRY(name(value));
  if (key == "description") agent_.description = TRY(value.text(kAgentDescriptionBytesMax));
  if (key == "engine") agent_.engine = TRY(engine(value));
  if (key == "prompt") agent_.prompt = TRY(prompt(value));
  if (key == "tools_in_prompt") agent_.tools_in_prompt = TRY(value.boolean());
  if (key == "guided_calls") agent_.guided_calls = TRY(value.boolean());
  if (key == "instructions") agent_.instructions = TRY(paths(value, kInstructionFilesMax));
  if (key == "skills") agent_.skills = TRY(paths(value, kSkillFoldersMax));
  if (key == "tools") agent_.tools = TRY(tools(value));
  if (key == "mcp") agent_.mcp = TRY(mcp(value));
  if (key == "agents") agent_.agents = TRY(agents(value));
  if (key == "attempts") agent_.attempts = TRY(value.integer(1, kAttemptsMax));
  if (key == "policy") agent_.policy = TRY(value.text(kAgentPathBytesMax));
  return {};
}

Result<> AgentReader::section(std::string_view key, const YamlValue& value) {
  if (key == "context") return context(value);
  if (key == "budget") return budget(value);
  if (key == "output") return output(value);
  if (key == "sampling") return sampling(value);
  if (key == "accept") return accept(value);
  if (key == "escalate") return escalate(value);
  return part(key, value);
}

Result<AgentDocument> AgentReader::read(const YamlValue& root) {
  const std::vector<YamlField> fields = TRY(root.fields(keys_of("")));
  TRY(header(root));
  TRY(root.require("name"));
  TRY(root.require("prompt"));
  agent_.tools = default_tools();
  for (const YamlField& field : fields) TRY(section(field.key, field.value));
  if (agent_.attempts > 1 && !agent_.accept)
    return fail(TRY(root.require("attempts"))
                    .error("more than one needs 'accept': without a check nobody knows which of "
                           "them succeeded"));
  return std::move(agent_);
}

}  // namespace

bool is_document_name(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  return plain && !text.empty() && text != "." && text != "..";
}

std::span<const AgentKeys> agent_keys() {
  static const std::vector<AgentKeys> table = {
      {"",
       {"apiVersion",      "kind",         "name",         "description", "engine",   "prompt",
        "tools_in_prompt", "guided_calls", "instructions", "skills",      "tools",    "mcp",
        "agents",          "context",      "budget",       "output",      "sampling", "attempts",
        "accept",          "escalate",     "policy"}},
      {"context", {"window_tokens", "compact_at"}},
      {"budget", {"steps", "tokens", "usd", "wall", "tool_cpu", "wrap_up"}},
      {"output", {"schema"}},
      {"sampling", {"temperature", "top_p", "seed", "effort", "answer_tokens"}},
      {"accept", {"command", "timeout", "after"}},
      {"escalate", {"to", "on"}},
  };
  return table;
}

Result<AgentDocument> load_agent(std::string_view text, std::string_view file) {
  const YamlNode root = TRY(policies::parse_yaml(text, file));
  return AgentReader().read(YamlValue(file, root, ""));
}

}  // namespace fathom::agents
