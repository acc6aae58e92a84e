// The frozen text that a session begins with.
//
//   the agent's prompt
//   where it works
//   what the repository says: instruction files, then skills, each between marks
//
// The same inputs give the same bytes, on any day: what changes (the time, a branch, a count) has
// no place in a prefix that is to stay resident.
//
// The repository's text is whoever's who wrote there. Its marks carry a key that is a digest of all
// of it: text that contains the key would have another digest, so no file can end its own block and
// go on as the agent's prompt.
#pragma once

#include "agents/document/agent_document.hpp"
#include "agents/document/instructions.hpp"

#include <string>
#include <string_view>

namespace fathom::agents {

inline constexpr std::size_t kMarkKeyDigits = 32;  ///< hexadecimal: 128 bits

/// What the agent finds itself in, and what a run of it never changes.
struct Environment {
  std::string workspace;  ///< absolute, as its commands see it
  std::string system;     ///< "Linux x86_64"
};

/// Of this machine.
Environment environment_of(std::string workspace);

std::string system_text(const AgentDocument& agent, const Instructions& instructions,
                        const Environment& environment);

}  // namespace fathom::agents
