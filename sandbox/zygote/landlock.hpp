// Landlock, the second fence behind the mounts, and the first one where there are no namespaces.
#pragma once

#include "sandbox/zygote/kernel.hpp"

namespace fathom::sandbox::zygote {

/// Reads a rule set from `plan` and builds it once for the session; -1 when the plan has none. A
/// rule whose path is missing is left out, which only narrows.
Failure build_ruleset(wire::PlanReader& plan, int& ruleset);

}  // namespace fathom::sandbox::zygote
