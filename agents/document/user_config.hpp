// UserConfig: what a person says once for all runs, in ~/.config/fathom/config.yaml.
//
//   apiVersion: fathom/v1
//   kind: Config
//   engine: fast
//   engines: {fast: "openai:http://127.0.0.1:8000/v1#flash"}
//   keys: {api.deepseek.com: {file: ~/.config/fathom/deepseek.key}}
//   budget: {usd: 5}
//   trace: {bodies: true}
//
// Where a key is found is said here, never the key. A repository's .fathom/config.yaml has none of
// these keys: cloning one must not change which agent works, where text is sent, who pays, or which
// command gives a key.
#pragma once

#include "agents/document/agent_document.hpp"
#include "policies/yaml_document.hpp"
#include "runtime/base/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kConfigEnginesMax = 64;
inline constexpr std::size_t kConfigKeysMax = 64;
inline constexpr std::size_t kKeyHostBytesMax = 255;
inline constexpr std::size_t kKeyCommandWordsMax = 64;

/// A value and where the document states it.
template <class T>
struct Placed {
  T value{};
  policies::Place at;

  friend bool operator==(const Placed&, const Placed&) = default;
};

struct NamedEngine {
  std::string name;
  std::string spec;

  friend bool operator==(const NamedEngine&, const NamedEngine&) = default;
};

/// Where the API key of a host is found.
struct KeySource {
  enum class Kind : std::uint8_t { env, file, command };

  Kind kind = Kind::env;
  std::string name;                  ///< of a variable, or a path: absolute, or below `~/`
  std::vector<std::string> command;  ///< prints the key on its first line

  /// "env NAME", "file PATH", "command WORD…".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const KeySource&, const KeySource&) = default;
};

struct HostKey {
  std::string host;  ///< small letters; HOST or HOST:PORT
  KeySource source;

  friend bool operator==(const HostKey&, const HostKey&) = default;
};

/// The most that any run may spend, whatever its agent says.
struct BudgetCaps {
  std::optional<Placed<std::uint64_t>> steps;
  std::optional<Placed<std::uint64_t>> tokens;
  std::optional<Placed<double>> usd;
  std::optional<Placed<std::chrono::milliseconds>> wall;
  std::optional<Placed<std::chrono::milliseconds>> tool_cpu;

  friend bool operator==(const BudgetCaps&, const BudgetCaps&) = default;
};

struct UserConfig {
  std::optional<Placed<std::string>> engine;  ///< SPEC, or a name of `engines`
  std::optional<Placed<std::string>> agent;
  std::optional<Placed<std::string>> policy;
  std::vector<Placed<NamedEngine>> engines;
  std::vector<Placed<HostKey>> keys;
  BudgetCaps budget;
  std::optional<Placed<bool>> trace_bodies;  ///< as --trace-bodies, for all runs

  friend bool operator==(const UserConfig&, const UserConfig&) = default;
};

/// `file` names the document in errors. Fails with `usage` and "FILE: line N: column M: …", which
/// never repeats what might be a key.
Result<UserConfig> parse_user_config(std::string_view text, std::string_view file);

/// A mapping of the document, by its dotted path, and the keys it may have.
std::span<const AgentKeys> user_config_keys();

}  // namespace fathom::agents
