// The self check: a restricted child tries what it must not be able to do (wire::kCheck…). The
// prober runs it, because a kernel can have a feature and an outer sandbox, a security module or a
// boot option can still keep it from working.
#pragma once

#include "sandbox/zygote/kernel.hpp"

namespace fathom::sandbox::zygote {

/// `argv`: name, path outside, path that Landlock alone protects, path inside, pid, mask of checks
/// in decimal; or name and "notify". Returns the bits of the checks that failed.
int self_check(const char* const* argv);

}  // namespace fathom::sandbox::zygote
