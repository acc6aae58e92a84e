// All probes of the table, on both rungs. A run that leaves out a section fails.
#include "tests/sandbox/probes/probe_run.hpp"
#include "tests/support/catch.hpp"

namespace fathom::test {
namespace {

void hold_table(ProbeRun& run, const ProbeBoxSetup& setup) {
  for (const char section : {'A', 'B', 'C'}) {
    ProbeBox box(setup);
    run.hold(box, file_cases(), section);
  }
  for (auto cases : {process_cases(), syscall_cases(), network_cases(), resource_cases()}) {
    ProbeBox box(setup);
    run.hold(box, cases);
  }
}

TEST_CASE("every probe of the table holds on the full rung", "[sandbox]") {
  ProbeRun run("full rung");
  hold_table(run, {});
  run.report("ABCDEFGH");
}

TEST_CASE("every probe of the table holds or is declared weaker on the container rung",
          "[sandbox]") {
  ProbeRun run("container rung");
  hold_table(run, {.rung = sandbox::Rung::container});
  run.report("ABCDEFGH");
}

}  // namespace
}  // namespace fathom::test
