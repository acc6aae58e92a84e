// The one reviewed table of system calls: what each is answered in each profile. Everything that it
// does not name is answered ENOSYS, as a kernel that does not have the call would: software falls
// back from that, where it gives up on EPERM (glibc without clone3).
//
// The table is by name. A name that the build's libseccomp is too old for has its number here;
// names that only another architecture has are passed over there. Numbers above 423 are the same on
// all architectures.
#pragma once

#include "policies/policy.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fathom::sandbox {

enum class Grant : std::uint8_t {
  absent,     ///< ENOSYS
  refused,    ///< EPERM: software asks for permission here, not for existence
  forbidden,  ///< EPERM and a security event: NotifySet::refused lets the supervisor see it
  checked,    ///< by its arguments and the options: seccomp_rules.hpp
  granted,
};

struct SyscallGrant {
  std::string_view name;
  Grant build = Grant::absent;
  Grant debug = Grant::absent;
  Grant strict = Grant::absent;

  [[nodiscard]] Grant in(policies::SyscallProfile profile) const;
};

/// Every call of x86_64 and aarch64 up to Linux 6.18, each once, in the order of review.
std::span<const SyscallGrant> syscall_table();

/// The number of a call that came after libseccomp 2.5.4; negative where this architecture has
/// none.
std::optional<int> newer_syscall_number(std::string_view name);

}  // namespace fathom::sandbox
