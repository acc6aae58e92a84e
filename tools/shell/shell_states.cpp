#include "tools/shell/shell_states.hpp"

namespace fathom::tools {

ShellTicket ShellStates::take() {
  if (free_.empty()) free_.insert(slots_++);
  const auto first = free_.begin();
  const ShellTicket ticket{++calls_, *first};
  free_.erase(first);
  return ticket;
}

void ShellStates::keep(const ShellTicket& ticket) {
  kept_.push_front(ticket);
  if (kept_.size() <= kShellStatesKept) return;
  free_.insert(kept_.back().slot);
  kept_.pop_back();
}

void ShellStates::drop(const ShellTicket& ticket) { free_.insert(ticket.slot); }

}  // namespace fathom::tools
