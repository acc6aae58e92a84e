#include "tools/shell/shell_states.hpp"

#include "tests/support/catch.hpp"

#include <set>

namespace fathom::tools {
namespace {

TEST_CASE("the newest kept state comes first", "[tools]") {
  ShellStates states;
  const ShellTicket first = states.take();
  states.keep(first);
  const ShellTicket second = states.take();
  CHECK(states.kept() == std::vector<ShellTicket>{first});
  states.keep(second);
  CHECK(states.kept() == std::vector<ShellTicket>{second, first});
}

TEST_CASE("a slot in use is never given to a later call", "[tools]") {
  ShellStates states;
  const ShellTicket job = states.take();  // goes on for a hundred calls, then saves
  for (int call = 0; call < 100; ++call) {
    const ShellTicket ticket = states.take();
    CHECK(ticket.slot != job.slot);
    for (const ShellTicket& kept : states.kept()) CHECK(kept.slot != ticket.slot);
    states.keep(ticket);
  }
  CHECK(states.kept().size() == kShellStatesKept);
  CHECK(states.slots() == kShellStatesKept + 2);
}

TEST_CASE("a dropped call's slot is free, its state does not count", "[tools]") {
  ShellStates states;
  const ShellTicket kept = states.take();
  states.keep(kept);
  const ShellTicket killed = states.take();
  states.drop(killed);
  CHECK(states.kept() == std::vector<ShellTicket>{kept});
  const ShellTicket next = states.take();
  CHECK(next.slot == killed.slot);
  CHECK(next.call > killed.call);  // so what the killed one left there is not taken for it
}

}  // namespace
}  // namespace fathom::tools
