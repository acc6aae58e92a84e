// The policy in force as text for a person: each value, where it comes from, and what was ignored.
#pragma once

#include "policies/policy_layers.hpp"

#include <string>

namespace fathom::policies {

/// Plain text, printable, lines of about 100 columns. Paths, names and variables that have the same
/// value and origin stand together.
std::string explain_text(const EffectivePolicy& effective);

/// Where the value with this key (policy_lines()) comes from: a layer, or the program itself.
Origin origin_of(const EffectivePolicy& effective, const std::string& key);

}  // namespace fathom::policies
