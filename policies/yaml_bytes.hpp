// What is wrong with a YAML document's bytes, before any parser sees them.
#pragma once

#include "policies/yaml_document.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace fathom::policies {

struct YamlFlaw {
  Place at;
  std::string message;
};

/// Ill-formed UTF-8, control characters, byte order marks, tabs in indentation and directives: the
/// first of them. The text of block scalars ("|", ">") may begin with tabs behind its indentation.
std::optional<YamlFlaw> find_flaw(std::string_view text);

/// The place of byte `offset`.
Place place_of(std::string_view text, std::size_t offset);

}  // namespace fathom::policies
