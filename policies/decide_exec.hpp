// The decision about a command, for decide().
#pragma once

#include "policies/decide.hpp"

namespace fathom::policies {

Decision decide_exec(const Exec& exec, const request::Exec& request);

}  // namespace fathom::policies
