// What a repository says to agents: its instruction files and the heads of its skills, read once
// when a session begins.
//
// All of it is somebody else's text. It is read through the workspace's open folder, so that no
// link leads outside, only where the policy lets a command read, within bounds, and mended to
// UTF-8. What cannot be read is left out and noted: a file of the repository is no reason not to
// work there.
#pragma once

#include "agents/document/agent_document.hpp"
#include "agents/document/skill_file.hpp"
#include "policies/policy.hpp"
#include "runtime/base/result.hpp"

#include <string>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kInstructionFileBytesMax = std::size_t{64} << 10U;
inline constexpr std::size_t kInstructionBytesMax = std::size_t{128} << 10U;  ///< of all files
inline constexpr std::size_t kSkillsMax = 64;
inline constexpr std::size_t kSkillEntriesMax = 1024;  ///< of a folder that is looked through

struct InstructionFile {
  std::string path;  ///< as the agent's document names it
  std::string text;  ///< UTF-8
  std::size_t bytes_cut = 0;

  friend bool operator==(const InstructionFile&, const InstructionFile&) = default;
};

struct Skill {
  SkillHead head;
  std::string path;  ///< of its SKILL.md, relative to the workspace

  friend bool operator==(const Skill&, const Skill&) = default;
};

struct Instructions {
  std::vector<InstructionFile> files;  ///< in the document's order; the same text only once
  std::vector<Skill> skills;           ///< by folder in the document's order, then by path
  std::vector<std::string> notes;      ///< what was left out, cut or mended, for a person

  friend bool operator==(const Instructions&, const Instructions&) = default;
};

/// Blocks. `policy` is that of the run, with its workspace. Fails only when the workspace cannot be
/// opened.
Result<Instructions> read_instructions(const AgentDocument& agent, const policies::Policy& policy);

}  // namespace fathom::agents
