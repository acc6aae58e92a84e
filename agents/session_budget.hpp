// The budget of a run, as its journal keeps it: whoever goes on with the run goes on within it.
//
//   agent.budget {steps, tokens, usd, wall_ms, tool_cpu_ms, wrap_up}     what is absent has no
//   limit
#pragma once

#include "agents/ledger.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace fathom::agents {

[[nodiscard]] std::string encode(const Budget& budget);
/// Nothing when it is none.
[[nodiscard]] std::optional<Budget> decode_budget(std::string_view data);

/// Of a run that goes on: what is wanted now takes the place of what was, but never more than the
/// agent's document allows.
[[nodiscard]] Budget renewed(const Budget& was, const Budget& wanted, const Budget& agents_own);

}  // namespace fathom::agents
