// The table of probes: what each answers unconfined and confined. Ids are the rows of the probe
// list that the sandbox is held to: a letter for the section and a number.
#pragma once

#include <span>
#include <string_view>

namespace fathom::test {

/// One row. `command` is what fathom_probes is given; "alone" in front counts for the unconfined
/// run only. Names in braces stand for one path there (a scratch copy) and another one in the
/// sandbox (the real one): see ProbePlaces.
///
/// Expectations are answers separated by '|'. In front of them may stand
///   "root=A user=B"   by who runs the test
///   "~GUARANTEE "     the rung declares this guarantee weaker: checked too
///   "gap: WHY => "    known not to hold; counted and printed with every run
///   "?WHY"            not run; counted and printed
///   "*"               any answer: the machine decides
struct ProbeCase {
  std::string_view id;
  std::string_view command;
  std::string_view unconfined;
  std::string_view full;
  std::string_view container;
};

std::span<const ProbeCase> file_cases();          ///< A, B, C
std::span<const ProbeCase> process_cases();       ///< D, E
std::span<const ProbeCase> syscall_cases();       ///< F
std::span<const ProbeCase> network_cases();       ///< G
std::span<const ProbeCase> resource_cases();      ///< H
std::span<const ProbeCase> host_network_cases();  ///< G, C7: in a network namespace of the test

}  // namespace fathom::test
