#include "tests/sandbox/probes/probe_run.hpp"

#include "tests/sandbox/probes/expectation.hpp"
#include "tests/support/catch.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace fathom::test {
namespace {

std::string_view expected_on(const ProbeCase& row, sandbox::Rung rung) {
  const bool namespaces = rung == sandbox::Rung::full || rung == sandbox::Rung::no_network_ns;
  return namespaces ? row.full : row.container;
}

// A row shows something when the sandbox changes the answer, or when it must not.
bool shows_nothing(const ProbeCase& row, const Expectation& expected, std::string_view unconfined) {
  const bool attack =
      row.unconfined != row.full && row.unconfined != "*" && !expected.answers.empty();
  return attack && expected.gap.empty() && !expected.weaker && expected.holds(unconfined);
}

bool is_declared_weaker(const std::vector<sandbox::GuaranteeState>& states,
                        policies::Guarantee guarantee) {
  return std::ranges::any_of(states, [&](const sandbox::GuaranteeState& state) {
    return state.guarantee == guarantee && state.strength != policies::Strength::enforced &&
           !state.reason.empty();
  });
}

void say(const char* kind, const std::string& name, const ProbeCase& row, std::string_view why) {
  std::printf("probes: %s: %.*s %s: %.*s: %.*s\n", name.c_str(), static_cast<int>(row.id.size()),
              row.id.data(), kind, static_cast<int>(row.command.size()), row.command.data(),
              static_cast<int>(why.size()), why.data());
}

}  // namespace

void ProbeRun::hold_one(ProbeBox& box, const ProbeCase& row) {
  const bool root = ::geteuid() == 0;
  SectionCount& count = counts_[row.id.front()];
  const Expectation expected =
      read_expectation(expected_on(row, box.box().launcher().rung()), root);
  if (!expected.pending.empty()) {
    say("pending", name_, row, expected.pending);
    ++count.pending;
    return;
  }
  if (row.command.contains("{setuid}") && setuid_probes().empty()) {
    say("pending", name_, row, "needs a set-user-id program made by root");
    ++count.pending;
    return;
  }
  box.refresh();
  const std::string command(row.command);
  const std::string unconfined = box.unconfined(command);
  const std::string before = box.untouchable();
  const std::string confined =
      box.confined(command.starts_with("alone ") ? command.substr(6) : command);
  INFO(row.id << ": " << row.command << ": unconfined " << unconfined << ", confined " << confined
              << ", expected " << expected_on(row, box.box().launcher().rung()));
  CHECK(read_expectation(row.unconfined, root).holds(unconfined));
  CHECK(expected.holds(confined));
  if (root) CHECK_FALSE(shows_nothing(row, expected, unconfined));
  if (expected.weaker)
    CHECK(is_declared_weaker(box.box().launcher().guarantees(), *expected.weaker));
  if (expected.gap.empty()) {
    CHECK(box.untouchable() == before);
  } else {
    say("gap", name_, row, expected.gap);
    ++count.gaps;
  }
  ++count.executed;
}

void ProbeRun::hold(ProbeBox& box, std::span<const ProbeCase> cases, char section) {
  box.open();
  if (box.box().launcher().rung() == sandbox::Rung::container)
    box.confined_places()["init"] = box.confined_places()["victim"];
  for (const ProbeCase& row : cases)
    if (section == 0 || row.id.front() == section) hold_one(box, row);
  for (const std::string& mark : host_marks()) {
    INFO(mark);
    CHECK(::access(mark.c_str(), F_OK) != 0);
  }
}

void ProbeRun::report(std::string_view sections) const {
  for (const char section : sections) {
    const auto at = counts_.find(section);
    const SectionCount count = at == counts_.end() ? SectionCount{} : at->second;
    std::printf("probes: %s: section %c: %d executed, %d pending, %d gaps\n", name_.c_str(),
                section, count.executed, count.pending, count.gaps);
    INFO("section " << section);
    CHECK(count.executed > 0);
  }
}

}  // namespace fathom::test
