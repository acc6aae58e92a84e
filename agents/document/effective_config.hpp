// EffectiveConfig: what holds for a run of this user, and where each value comes from.
//
//   flag  >  environment  >  ~/.config/fathom/config.yaml  >  built-in
//
// An agent stands between environment and file: it is more particular than the file, and a person
// who sets a variable means this run. Budgets are not chosen but the smallest one counts.
#pragma once

#include "agents/document/agent_files.hpp"
#include "agents/document/user_config.hpp"
#include "engine/session/engine_spec.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

struct ConfigOrigin {
  enum class Kind : std::uint8_t { built_in, agent, file, environment, flag };

  Kind kind = Kind::built_in;
  std::string name;    ///< the agent, the file, the variable, the flag
  policies::Place at;  ///< of a file

  /// "built-in", "agent coder", "FILE:LINE", "FATHOM_ENGINE", "--engine".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const ConfigOrigin&, const ConfigOrigin&) = default;
};

struct ConfigValue {
  std::string text;
  ConfigOrigin origin;

  friend bool operator==(const ConfigValue&, const ConfigValue&) = default;
};

/// What the command line says; empty is nothing.
struct ConfigFlags {
  std::string engine;
  std::string agent;
  std::string policy;
};

struct EffectiveConfig {
  ConfigValue engine;  ///< "" when nobody says: an agent may
  ConfigValue agent;
  ConfigValue policy;
  UserConfig user;   ///< engines, keys and caps come from there alone
  std::string file;  ///< the user's, whether it is there or not
};

std::filesystem::path user_config_path(const std::filesystem::path& config_dir);

/// Fails for a file that is wrong, and with `permission` for one that others may write: it names
/// commands that are run and where text is sent.
Result<EffectiveConfig> load_effective_config(const ConfigFlags& flags, const GetEnv& env);

/// One line of `fathom config show`.
struct ConfigLine {
  std::string key;
  std::string value;
  ConfigOrigin origin;
};
std::vector<ConfigLine> config_lines(const EffectiveConfig& config);

/// What a run of the agent is to use.
struct RunSettings {
  engine::EngineSpec engine;
  ConfigValue engine_stated;  ///< as it was written, and where
  ConfigValue policy;
  BudgetSettings budget;
};

/// Fails when nobody says which engine, or a name is none of the config's. What the repository's
/// agent says of the policy counts only where the user said nothing.
Result<RunSettings> settle(const EffectiveConfig& config, const FoundAgent& agent);

/// A SPEC, or the name of an engine of the config.
Result<engine::EngineSpec> resolve_engine(std::string_view text, const EffectiveConfig& config);

}  // namespace fathom::agents
