// AgentDocument: what an agent is, as its YAML says.
//
//   apiVersion: fathom/v1
//   kind: Agent
//   name: coder
//   prompt: You are a software engineer.
//   tools: [bash, str_replace_editor]
//
// It names a policy and can never widen one: what may be done is the policy's to say. A key that a
// document does not state is as in AgentDocument{}. agent.schema.json describes all keys for
// editors, coder.yaml shows them with a comment each.
#pragma once

#include "engine/session/engine.hpp"
#include "runtime/base/result.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kAgentNameBytesMax = 64;
inline constexpr std::size_t kAgentDescriptionBytesMax = 1024;
inline constexpr std::size_t kAgentPromptBytesMax = 65'536;
inline constexpr std::size_t kAgentPathBytesMax = 4096;
inline constexpr std::size_t kInstructionFilesMax = 16;
inline constexpr std::size_t kSkillFoldersMax = 16;
inline constexpr std::size_t kAgentToolsMax = 32;
inline constexpr std::size_t kAgentMcpServersMax = 16;
inline constexpr std::size_t kSubAgentsMax = 16;
inline constexpr std::size_t kAcceptWordsMax = 256;
inline constexpr std::size_t kAnswerSchemaBytesMax = 65'536;

/// Below, the prefix and one answer do not fit; above, no engine is known.
inline constexpr std::uint64_t kWindowTokensMin = 4096;
inline constexpr std::uint64_t kWindowTokensMax = 16'777'216;
inline constexpr double kCompactAtMin = 0.5;
inline constexpr double kCompactAtMax = 0.95;
inline constexpr std::uint64_t kBudgetStepsMax = 10'000;
inline constexpr std::uint64_t kBudgetTokensMin = 1000;
inline constexpr std::uint64_t kBudgetTokensMax = 1'000'000'000'000;
inline constexpr double kBudgetUsdMin = 0.000'001;
inline constexpr double kBudgetUsdMax = 1'000'000;
inline constexpr std::chrono::milliseconds kBudgetTimeMin = std::chrono::seconds(1);
inline constexpr std::chrono::milliseconds kBudgetTimeMax = std::chrono::hours(24 * 30);
inline constexpr double kWrapUpMax = 0.5;
inline constexpr double kTemperatureMax = 2;
inline constexpr double kTopPMin = 0.000'001;
inline constexpr std::uint64_t kSeedMax = (std::uint64_t{1} << 53U) - 1;  ///< exact in any JSON
inline constexpr std::uint64_t kAnswerTokensMax = 1'048'576;
inline constexpr std::uint64_t kAttemptsMax = 16;
inline constexpr std::chrono::milliseconds kAcceptTimeMin = std::chrono::seconds(1);
inline constexpr std::chrono::milliseconds kAcceptTimeMax = std::chrono::hours(24);

/// When the transcript no longer fits.
struct ContextSettings {
  std::optional<std::uint64_t> window_tokens;  ///< absent: the engine's; else the smaller of both
  double compact_at = 0.85;                    ///< share of the window

  friend bool operator==(const ContextSettings&, const ContextSettings&) = default;
};

/// Of one run. Absent is no limit of the agent's own: steps always end it.
struct BudgetSettings {
  std::uint64_t steps = 200;
  std::optional<std::uint64_t> tokens;  ///< read and written, those that were resident too
  std::optional<double> usd;
  std::optional<std::chrono::milliseconds> wall;
  std::optional<std::chrono::milliseconds> tool_cpu;
  double wrap_up = 0.05;  ///< share of each that is kept for a last answer in words

  friend bool operator==(const BudgetSettings&, const BudgetSettings&) = default;
};

inline constexpr std::array<std::string_view, 2> kAcceptAfterNames = {"answer", "edits"};

/// The machine check that an attempt has to pass.
struct AcceptCheck {
  std::vector<std::string> command;  ///< argv, run as the agent's own commands are; exit 0 accepts
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
  bool after_edits = false;  ///< each edit has to pass, or the attempt is over at once

  friend bool operator==(const AcceptCheck&, const AcceptCheck&) = default;
};

enum class EscalateOn : std::uint8_t { no_progress, loop, engine_error };
inline constexpr std::array<std::string_view, 3> kEscalateOnNames = {"no_progress", "loop",
                                                                     "engine_error"};

/// Which engine takes over, and when.
struct Escalation {
  std::string to;  ///< as AgentDocument::engine
  std::vector<EscalateOn> on = {EscalateOn::no_progress, EscalateOn::loop};

  friend bool operator==(const Escalation&, const Escalation&) = default;
};

inline constexpr std::array<std::string_view, 4> kEffortNames = {"none", "low", "high", "max"};

struct AgentDocument {
  std::string name;
  std::string description;  ///< one line: by it another agent chooses whom to start
  std::string engine;       ///< SPEC, or the name of one in the user's config; "" is the user's
  std::string prompt;
  bool tools_in_prompt = true;  ///< false for a model trained on its tools
  /// Calls are held to what can work, for a small model on an engine that samples here: files that
  /// are there, lines that stand in them once, and no answer before the tests pass.
  bool guided_calls = false;
  /// Files of the repository, read once into the prefix; those that are not there are passed over.
  std::vector<std::string> instructions = {"AGENTS.md", "CLAUDE.md"};
  std::vector<std::string> skills;  ///< folders of the repository
  std::vector<std::string> tools;   ///< never empty; default_tools() when not stated
  std::vector<std::string> mcp;     ///< as parse_mcp_server() reads them
  std::vector<std::string> agents;  ///< that `task` may start; the tool is there if one is
  ContextSettings context;
  BudgetSettings budget;
  std::string answer_schema;       ///< JSON Schema; "" for free text
  std::string answer_schema_file;  ///< where it is still to be read from, beside the document
  engine::SamplingSettings sampling;
  std::uint64_t attempts = 1;
  std::optional<AcceptCheck> accept;  ///< there when attempts > 1
  std::optional<Escalation> escalate;
  std::string policy;  ///< shipped name or file; "" is the user's

  friend bool operator==(const AgentDocument&, const AgentDocument&) = default;
};

/// `file` names the document in errors. Fails with `usage` and "FILE: line N: column M: …". Opens
/// nothing: see agent_files.hpp for what a document refers to.
Result<AgentDocument> load_agent(std::string_view text, std::string_view file);

/// Small letters, digits and - _ . as names of agents, policies and engines have; "." and ".." are
/// none.
[[nodiscard]] bool is_document_name(std::string_view text);

/// A mapping of the document, by its dotted path, and the keys it may have. The published schema
/// has the same.
struct AgentKeys {
  std::string_view section;
  std::vector<std::string_view> keys;
};
std::span<const AgentKeys> agent_keys();

}  // namespace fathom::agents
