// The head of a SKILL.md: YAML between two lines of `---`, of which a name and a description are
// read and the rest is left alone.
//
//   ---
//   name: release
//   description: How a release is made here. Read it before touching CHANGELOG.md.
//   ---
#pragma once

#include "runtime/base/result.hpp"

#include <string>
#include <string_view>

namespace fathom::agents {

inline constexpr std::size_t kSkillHeadBytesMax =
    8192;  ///< from the first byte to the second `---`
inline constexpr std::size_t kSkillNameBytesMax = 64;
inline constexpr std::size_t kSkillDescriptionBytesMax = 1024;

struct SkillHead {
  std::string name;         ///< one line without control characters, as the description
  std::string description;  ///< line breaks are spaces

  friend bool operator==(const SkillHead&, const SkillHead&) = default;
};

/// `text` may end anywhere behind the head. Errors: "FILE: line N: column M: …".
Result<SkillHead> parse_skill_head(std::string_view text, std::string_view file);

}  // namespace fathom::agents
