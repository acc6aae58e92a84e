// Refusal: why no sandbox was opened, in words that name the smallest fix.
#pragma once

#include "runtime/base/result.hpp"
#include "sandbox/compile.hpp"
#include "sandbox/ladder.hpp"

#include <string>
#include <vector>

namespace fathom::sandbox {

/// Why a launcher did not open, for people and --json.
struct Refusal {
  std::string message;
  std::vector<GuaranteeState> missing;  ///< what the policy requires and this machine does not give
};

/// One JSON object: {"ending":"not_started","reason":…,"missing":[{"guarantee":…,"strength":…,
/// "reason":…,"fix":…}]}.
std::string to_json(const Refusal& refusal);

std::string missing_text(const std::vector<GuaranteeState>& missing);

/// What a failure to open means in a mode that needs an overlay.
Result<> with_mode(Mode mode, Result<> failed);

}  // namespace fathom::sandbox
