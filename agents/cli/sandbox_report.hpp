// The sandbox's part of fathom doctor: which rungs work here, and each guarantee with its
// mechanism, strength and fix.
#pragma once

#include "agents/cli/doctor.hpp"
#include "runtime/base/result.hpp"
#include "sandbox/prober.hpp"

namespace fathom::agents {

/// Probes this machine anew and keeps the report for later runs. Starts short-lived confined
/// processes.
Result<sandbox::ProbeReport> probe_sandbox(const GetEnv& env);

/// One finding a guarantee of the strongest working rung, one a rung that does not work.
[[nodiscard]] Section describe_sandbox(const sandbox::ProbeReport& report, bool root);

}  // namespace fathom::agents
