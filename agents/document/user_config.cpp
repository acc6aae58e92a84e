#include "agents/document/user_config.hpp"

#include "engine/session/engine_spec.hpp"
#include "policies/environment.hpp"
#include "policies/yaml_value.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <utility>

namespace fathom::agents {
namespace {

using policies::YamlField;
using policies::YamlValue;

constexpr std::size_t kWordBytesMax = 4096;

std::span<const std::string_view> keys_of(std::string_view section) {
  const auto table = user_config_keys();
  const auto found = std::ranges::find(table, section, &AgentKeys::section);
  ENSURE(found != table.end(), "every section that is read is in the table");
  return found->keys;
}

template <class T>
Placed<T> placed(T value, const YamlValue& at) {
  return {std::move(value), at.at()};
}

bool is_host(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':' ||
           c == '[' || c == ']';
  });
  return plain && !text.empty() && text.size() <= kKeyHostBytesMax;
}

Result<> header(const YamlValue& root) {
  const YamlValue version = TRY(root.require("apiVersion"));
  if (TRY(version.text()) != "fathom/v1")
    return fail(version.error("this version reads 'fathom/v1'"));
  const YamlValue kind = TRY(root.require("kind"));
  if (TRY(kind.text()) != "Config")
    return fail(
        kind.error("'" + to_printable(TRY(kind.text())) + "' is no config (write 'kind: Config')"));
  return {};
}

Result<std::string> spec(const YamlValue& value) {
  std::string text = TRY(value.text(engine::kEngineSpecBytesMax));
  const auto parsed = engine::parse_engine_spec(text);
  if (!parsed) return fail(value.error(parsed.error().message));
  return text;
}

Result<std::vector<Placed<NamedEngine>>> engines(const YamlValue& section) {
  std::vector<Placed<NamedEngine>> out;
  for (const YamlField& field : TRY(section.fields(kConfigEnginesMax))) {
    // `engine: NAME` has to mean this one.
    const bool is_spec = engine::parse_engine_spec(field.key).has_value();
    if (!is_document_name(field.key) || field.key.size() > kAgentNameBytesMax || is_spec)
      return fail(field.value.error(
          "a name has small letters, digits and - _ . only, and is no SPEC of its own"));
    out.push_back(placed(NamedEngine{field.key, TRY(spec(field.value))}, field.value));
  }
  return out;
}

// The value of a key that was written here by mistake is not repeated: errors end in logs.
Result<KeySource> key_source(const YamlValue& value) {
  constexpr const char* kForms =
      "say where the key is: {env: NAME}, {file: PATH} or {command: [WORD, …]}; a key itself has "
      "no place here";
  if (!value.is_mapping()) return fail(value.error(kForms));
  const std::vector<YamlField> fields = TRY(value.fields(keys_of("keys.*")));
  if (fields.size() != 1) return fail(value.error(kForms));
  const YamlValue& stated = fields.front().value;
  KeySource source;
  if (fields.front().key == "command") {
    source.kind = KeySource::Kind::command;
    for (const YamlValue& word : TRY(stated.items(kKeyCommandWordsMax)))
      source.command.push_back(TRY(word.any_text(kWordBytesMax)));
    if (source.command.empty() || source.command.front().empty())
      return fail(stated.error("is empty (write the command)"));
    return source;
  }
  source.name = TRY(stated.text(kAgentPathBytesMax));
  if (fields.front().key == "file") {
    source.kind = KeySource::Kind::file;
    if (!source.name.starts_with('/') && !source.name.starts_with("~/"))
      return fail(stated.error("is no absolute path (begin it with / or ~/)"));
    return source;
  }
  const bool is_name = policies::is_variable_pattern(source.name) && !source.name.ends_with('*');
  if (!is_name) return fail(stated.error("is no variable's name (a key itself has no place here)"));
  return source;
}

Result<std::vector<Placed<HostKey>>> keys(const YamlValue& section) {
  std::vector<Placed<HostKey>> out;
  for (const YamlField& field : TRY(section.fields(kConfigKeysMax))) {
    if (!is_host(field.key))
      return fail(field.value.error("write the host as HOST or HOST:PORT, in small letters"));
    out.push_back(placed(HostKey{field.key, TRY(key_source(field.value))}, field.value));
  }
  return out;
}

Result<BudgetCaps> budget(const YamlValue& section) {
  BudgetCaps caps;
  for (const YamlField& field : TRY(section.fields(keys_of("budget")))) {
    const YamlValue& value = field.value;
    if (field.key == "steps") {
      caps.steps = placed(TRY(value.integer(1, kBudgetStepsMax)), value);
    } else if (field.key == "tokens") {
      caps.tokens = placed(TRY(value.integer(kBudgetTokensMin, kBudgetTokensMax)), value);
    } else if (field.key == "usd") {
      caps.usd = placed(TRY(value.decimal(kBudgetUsdMin, kBudgetUsdMax)), value);
    } else if (field.key == "wall") {
      caps.wall = placed(TRY(value.duration(kBudgetTimeMin, kBudgetTimeMax)), value);
    } else {
      caps.tool_cpu = placed(TRY(value.duration(kBudgetTimeMin, kBudgetTimeMax)), value);
    }
  }
  return caps;
}

Result<std::optional<Placed<bool>>> trace_bodies(const YamlValue& section) {
  (void)TRY(section.fields(keys_of("trace")));
  const auto stated = section.find("bodies");
  if (!stated) return std::nullopt;
  return placed(TRY(stated->boolean()), *stated);
}

Result<> check_engine_name(const UserConfig& config, const YamlValue& value) {
  const std::string& stated = config.engine->value;
  if (engine::parse_engine_spec(stated)) return {};
  std::vector<std::string_view> names;
  names.reserve(config.engines.size());
  for (const Placed<NamedEngine>& named : config.engines) names.emplace_back(named.value.name);
  if (std::ranges::find(names, stated) != names.end()) return {};
  if (names.empty() || !is_document_name(stated))
    return fail(value.error(engine::parse_engine_spec(stated).error().message));
  return fail(
      value.error("no engine of 'engines' is called " + policies::did_you_mean(stated, names)));
}

}  // namespace

std::string KeySource::to_string() const {
  if (kind == Kind::env) return "env " + name;
  if (kind == Kind::file) return "file " + name;
  std::string out = "command";
  for (const std::string& word : command) out += " " + word;
  return out;
}

std::span<const AgentKeys> user_config_keys() {
  static const std::vector<AgentKeys> table = {
      {"",
       {"apiVersion", "kind", "engine", "agent", "policy", "engines", "keys", "budget", "trace"}},
      {"keys.*", {"env", "file", "command"}},
      {"budget", {"steps", "tokens", "usd", "wall", "tool_cpu"}},
      {"trace", {"bodies"}},
  };
  return table;
}

Result<UserConfig> parse_user_config(std::string_view text, std::string_view file) {
  const policies::YamlNode node = TRY(policies::parse_yaml(text, file));
  const YamlValue root(file, node, "");
  const std::vector<YamlField> fields = TRY(root.fields(keys_of("")));
  TRY(header(root));
  UserConfig config;
  for (const YamlField& field : fields) {
    const YamlValue& value = field.value;
    const std::string& key = field.key;
    if (key == "engine")
      config.engine = placed(TRY(value.text(engine::kEngineSpecBytesMax)), value);
    if (key == "agent") config.agent = placed(TRY(value.text(kAgentPathBytesMax)), value);
    if (key == "policy") config.policy = placed(TRY(value.text(kAgentPathBytesMax)), value);
    if (key == "engines") config.engines = TRY(engines(value));
    if (key == "keys") config.keys = TRY(keys(value));
    if (key == "budget") config.budget = TRY(budget(value));
    if (key == "trace") config.trace_bodies = TRY(trace_bodies(value));
  }
  if (const auto stated = root.find("engine")) TRY(check_engine_name(config, *stated));
  return config;
}

}  // namespace fathom::agents
