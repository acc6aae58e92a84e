// The part of a filter that we write ourselves, in front of what libseccomp generates: the
// architecture, x32, and the calls that are answered by their arguments.
//
// Why not libseccomp for those: its rules for one call are alternatives without an order, each
// argument may be compared once in a rule, and a conditional rule behind an unconditional one is
// dropped without an error (2.5.4: ALLOW ioctl, then EPERM for TIOCSTI, returns 0 and allows
// TIOCSTI). "All but these four commands" would have to be spelled as some forty masked ranges.
// Here a rule is its clauses, in their order.
#pragma once

#include "sandbox/seccomp_rules.hpp"

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

namespace fathom::sandbox {

struct CheckedCall {
  int number = 0;
  Rule rule;
};

/// Instructions that return for another architecture than `arch` (the process is killed: the
/// numbers mean other calls there), for x32 numbers (ENOSYS) and for `calls`; for every other
/// number they run on into what the caller appends.
std::vector<sock_filter> filter_prologue(std::uint32_t arch, std::span<const CheckedCall> calls);

/// SECCOMP_RET_* with the errno that goes with it.
std::uint32_t filter_return(Answer answer);

}  // namespace fathom::sandbox
