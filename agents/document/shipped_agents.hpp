// The agents that come with the program, as they lie in agents/*.yaml.
#pragma once

#include <span>
#include <string_view>

namespace fathom::agents {

struct ShippedAgent {
  std::string_view name;
  std::string_view text;
};

/// coder first: it works when nothing else is asked for.
std::span<const ShippedAgent> shipped_agents();

/// JSON Schema of agent documents.
std::string_view agent_schema();

}  // namespace fathom::agents
