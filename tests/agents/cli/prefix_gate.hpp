// The gate on reuse: of a recorded session, the bytes of every request begin with the stable bytes
// of the one before and go on with its answer. A server that keeps prefixes reads nothing twice
// then. A compaction (another epoch) begins anew.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace fathom::test {

/// The first break: "request 3: byte 512 is 'a' and was 'b'; it belongs to seq 17 tool.finished";
/// "" where there is none. `bodies` are those of the journal's model.request events, in order.
[[nodiscard]] std::string find_break(const std::vector<std::string>& bodies,
                                     const std::vector<nlohmann::json>& events);

}  // namespace fathom::test
