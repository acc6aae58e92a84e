// Which environment variables a command may see.
#pragma once

#include "policies/policy.hpp"

#include <string_view>

namespace fathom::policies {

/// Names that hold credentials as a rule: *_TOKEN, *_KEY, *PASSWORD*, *SECRET*, AWS_*,
/// SSH_AUTH_SOCK, DATABASE_URL and the like. Such a variable is given as a declared secret, one
/// call at a time, or not at all.
bool is_secret_name(std::string_view name);

/// A name, or a prefix and "*".
bool is_variable_pattern(std::string_view pattern);

/// True when `environment.pass` lists the variable. A "*" never covers a secret's name.
bool passes(const Environment& environment, std::string_view name);

}  // namespace fathom::policies
