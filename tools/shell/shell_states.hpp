// ShellStates: which saved states of the shell count, and which slots are free. Pure.
#pragma once

#include "tools/shell/shell_script.hpp"

#include <cstdint>
#include <deque>
#include <set>
#include <vector>

namespace fathom::tools {

/// Finished calls whose states are kept: as many in a row may fail to save before the shell starts
/// anew.
inline constexpr std::size_t kShellStatesKept = 8;

/// A slot belongs to one call from take() until its state is older than the kept ones or the call
/// was dropped. So a command that goes on as a job writes late into a slot of its own, never over
/// the state of a later call.
class ShellStates {
 public:
  ShellTicket take();
  /// The call ended by itself: its state is the newest.
  void keep(const ShellTicket& ticket);
  /// Its processes are gone and its state, if it left one, does not count.
  void drop(const ShellTicket& ticket);

  /// Newest first.
  [[nodiscard]] std::vector<ShellTicket> kept() const { return {kept_.begin(), kept_.end()}; }
  [[nodiscard]] std::size_t slots() const { return slots_; }

 private:
  std::deque<ShellTicket> kept_;
  std::set<std::size_t> free_;
  std::size_t slots_ = 0;  ///< that there are
  std::uint64_t calls_ = 0;
};

}  // namespace fathom::tools
