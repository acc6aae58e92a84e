// What a person reads when a run has come to its end.
#pragma once

#include "agents/cli/run_view_style.hpp"
#include "agents/turn.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/message.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace fathom::agents {

struct RunEnd {
  TurnEnd end = TurnEnd::answered;
  std::string why;  ///< one line, when it is not `answered`
  std::uint64_t steps = 0;
  Usage usage;
  std::optional<double> cost_usd;  ///< where the engine has a price
  Duration took{};
  std::string changes;    ///< a line a file, with its +/- lines; "" for none
  std::string run;        ///< its id; "" where nothing can go on
  bool may_undo = false;  ///< it wrote, and there is a snapshot from before
};

[[nodiscard]] std::string summary_of(const RunEnd& end, const ViewStyle& style);

}  // namespace fathom::agents
