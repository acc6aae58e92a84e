#include "agents/document/effective_config.hpp"

#include "policies/quantity.hpp"
#include "policies/yaml_value.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace fathom::agents {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultAgent = "coder";
constexpr const char* kDefaultPolicy = "default";

// Read and write for others: whoever may write it runs commands as this user.
constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;

Result<std::optional<std::string>> read_private(const fs::path& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return fail(system_error("config " + path.string(), errno));
  }
  if (found.st_uid != ::geteuid() && found.st_uid != 0)
    return fail(ErrorCode::permission, "config " + path.string() +
                                           ": it belongs to another user (make it your own: it "
                                           "says which commands give your keys)");
  if ((found.st_mode & kOthersMayWrite) != 0)
    return fail(ErrorCode::permission, "config " + path.string() + ": others may write it (chmod " +
                                           "go-w " + path.string() + ")");
  return TRY(read_file(path, policies::kYamlBytesMax));
}

ConfigValue from_file(const std::optional<Placed<std::string>>& stated, const std::string& file,
                      std::string otherwise) {
  if (!stated) return {std::move(otherwise), {}};
  return {stated->value, {ConfigOrigin::Kind::file, file, stated->at}};
}

struct Source {
  const std::string& flag;
  const char* flag_name;
  const char* variable;
};

ConfigValue chosen(const Source& source, const GetEnv& env, ConfigValue otherwise) {
  if (!source.flag.empty()) return {source.flag, {ConfigOrigin::Kind::flag, source.flag_name, {}}};
  if (std::string value = env(source.variable); !value.empty())
    return {std::move(value), {ConfigOrigin::Kind::environment, source.variable, {}}};
  return otherwise;
}

ConfigOrigin origin_in(const EffectiveConfig& config, policies::Place at) {
  return {ConfigOrigin::Kind::file, config.file, at};
}

template <class T>
void cap(T& value, const std::optional<Placed<T>>& limit) {
  if (limit) value = std::min(value, limit->value);
}

template <class T>
void cap(std::optional<T>& value, const std::optional<Placed<T>>& limit) {
  if (limit) value = value ? std::min(*value, limit->value) : limit->value;
}

// This run's word goes before the agent's, the agent's before what holds for all runs.
ConfigValue between(const ConfigValue& config, const std::string& of_agent,
                    const FoundAgent& agent) {
  const bool this_run = config.origin.kind == ConfigOrigin::Kind::flag ||
                        config.origin.kind == ConfigOrigin::Kind::environment;
  if (this_run || of_agent.empty()) return config;
  return {of_agent, {ConfigOrigin::Kind::agent, agent.agent.name, {}}};
}

void add_budget(const EffectiveConfig& config, std::vector<ConfigLine>& lines) {
  const BudgetCaps& caps = config.user.budget;
  const auto add = [&](const char* key, const auto& limit, const auto& text) {
    if (limit)
      lines.push_back(
          {"budget." + std::string(key), text(limit->value), origin_in(config, limit->at)});
  };
  const auto count = [](std::uint64_t value) { return std::to_string(value); };
  add("steps", caps.steps, count);
  add("tokens", caps.tokens, count);
  add("usd", caps.usd, policies::format_decimal_fraction);
  add("wall", caps.wall, policies::format_duration);
  add("tool_cpu", caps.tool_cpu, policies::format_duration);
}

}  // namespace

std::string ConfigOrigin::to_string() const {
  switch (kind) {
    case Kind::built_in:
      return "built-in";
    case Kind::agent:
      return "agent " + name;
    case Kind::file:
      return name + ":" + std::to_string(at.line);
    case Kind::environment:
    case Kind::flag:
      return name;
  }
  return "";
}

fs::path user_config_path(const fs::path& config_dir) { return config_dir / "config.yaml"; }

Result<EffectiveConfig> load_effective_config(const ConfigFlags& flags, const GetEnv& env) {
  EffectiveConfig config;
  const fs::path path = user_config_path(TRY(config_dir(env)));
  config.file = path.string();
  if (const auto text = TRY(read_private(path)))
    config.user = TRY(parse_user_config(*text, config.file));
  config.engine = chosen({flags.engine, "--engine", "FATHOM_ENGINE"}, env,
                         from_file(config.user.engine, config.file, ""));
  config.agent = chosen({flags.agent, "--agent", "FATHOM_AGENT"}, env,
                        from_file(config.user.agent, config.file, kDefaultAgent));
  config.policy = chosen({flags.policy, "--policy", "FATHOM_POLICY"}, env,
                         from_file(config.user.policy, config.file, kDefaultPolicy));
  return config;
}

std::vector<ConfigLine> config_lines(const EffectiveConfig& config) {
  std::vector<ConfigLine> lines = {{"agent", config.agent.text, config.agent.origin},
                                   {"engine", config.engine.text, config.engine.origin},
                                   {"policy", config.policy.text, config.policy.origin}};
  for (const Placed<NamedEngine>& engine : config.user.engines)
    lines.push_back(
        {"engines." + engine.value.name, engine.value.spec, origin_in(config, engine.at)});
  for (const Placed<HostKey>& key : config.user.keys)
    lines.push_back(
        {"keys." + key.value.host, key.value.source.to_string(), origin_in(config, key.at)});
  add_budget(config, lines);
  if (const auto& bodies = config.user.trace_bodies)
    lines.push_back(
        {"trace.bodies", bodies->value ? "true" : "false", origin_in(config, bodies->at)});
  return lines;
}

Result<engine::EngineSpec> resolve_engine(std::string_view text, const EffectiveConfig& config) {
  std::vector<std::string_view> names;
  for (const Placed<NamedEngine>& engine : config.user.engines) {
    if (engine.value.name == text) return engine::parse_engine_spec(engine.value.spec);
    names.emplace_back(engine.value.name);
  }
  auto spec = engine::parse_engine_spec(text);
  if (spec || !is_document_name(text) || names.empty()) return spec;
  return fail(ErrorCode::usage, "engine: no SPEC, and none in " + config.file + " called " +
                                    policies::did_you_mean(text, names));
}

Result<RunSettings> settle(const EffectiveConfig& config, const FoundAgent& agent) {
  RunSettings out;
  out.engine_stated = between(config.engine, agent.agent.engine, agent);
  if (out.engine_stated.text.empty())
    return fail(ErrorCode::usage,
                "no engine: give --engine SPEC, set FATHOM_ENGINE, or write "
                "'engine: SPEC' into " +
                    config.file);
  auto spec = resolve_engine(out.engine_stated.text, config);
  if (!spec)
    return fail(
        context(to_printable(out.engine_stated.origin.to_string()), std::move(spec).error()));
  out.engine = *std::move(spec);
  const bool may_choose = agent.origin != AgentOrigin::repository ||
                          config.policy.origin.kind == ConfigOrigin::Kind::built_in;
  out.policy = may_choose ? between(config.policy, agent.agent.policy, agent) : config.policy;
  out.budget = agent.agent.budget;
  const BudgetCaps& caps = config.user.budget;
  cap(out.budget.steps, caps.steps);
  cap(out.budget.tokens, caps.tokens);
  cap(out.budget.usd, caps.usd);
  cap(out.budget.wall, caps.wall);
  cap(out.budget.tool_cpu, caps.tool_cpu);
  return out;
}

}  // namespace fathom::agents
