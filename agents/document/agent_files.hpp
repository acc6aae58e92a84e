// Where agents lie, and which one a name means.
//
//   built-in    coder, reviewer, explorer: what a name means never depends on files
//   user        ~/.config/fathom/agents/NAME.yaml
//   file        by its path
//
// A repository's own agents (.fathom/agents/NAME.yaml is the usual place) are found by path only:
// cloning a repository must not change what the words of a command mean. As such a file is
// somebody else's word, it may not say where the repository's text is sent, so its engines are
// names of the user's config, and the only policy it may name is `readonly`.
#pragma once

#include "agents/document/agent_document.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kAgentFileBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kUserAgentsMax = 256;

enum class AgentOrigin : std::uint8_t { built_in, user, file, repository };
std::string_view name_of(AgentOrigin origin);

struct FoundAgent {
  AgentDocument agent;  ///< with the schema of its answer read in
  AgentOrigin origin = AgentOrigin::built_in;
  std::string file;  ///< absolute; "coder.yaml" of a shipped one
  std::string text;  ///< the document, as the trace keeps it
};

/// `name` is an agent's, or the path of a file. What lies below `workspace` is the repository's.
Result<FoundAgent> find_agent(std::string_view name, const std::filesystem::path& workspace,
                              const GetEnv& env);

struct ListedAgent {
  std::string name;
  AgentOrigin origin = AgentOrigin::built_in;
  std::string file;
  std::string description;
  std::string error;  ///< why it cannot be used; "" when it can
};
/// The shipped ones and the user's, by name within each.
Result<std::vector<ListedAgent>> list_agents(const GetEnv& env);

/// One document alone, and what it refers to beside it.
Result<FoundAgent> read_agent_file(const std::filesystem::path& path, AgentOrigin origin);

}  // namespace fathom::agents
