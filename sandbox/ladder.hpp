// The guarantee ladder: what each rung holds, how firmly, and by what. Reported guarantee by
// guarantee, not as one number; a policy's `require` is compared with it before anything runs.
#pragma once

#include "policies/policy.hpp"
#include "sandbox/compile.hpp"

#include <string>
#include <vector>

namespace fathom::sandbox {

/// What enforces a limit that is not namespaces' business.
enum class LimitBy : std::uint8_t {
  cgroup_v2,
  cgroup_v1,
  user_namespace,
  polling,
  nothing,
  unlimited,  ///< the policy sets none
};

/// What a session really stands on, as found by opening it.
struct Footing {
  Rung rung = Rung::full;
  int landlock_abi = 0;
  bool root = false;  ///< the caller is uid 0
  RootMode root_mode = RootMode::idmapped;
  LimitBy memory = LimitBy::polling;
  LimitBy pids = LimitBy::nothing;
  LimitBy cpu = LimitBy::unlimited;
  bool listener = true;  ///< the kernel gives us a seccomp listener
};

struct GuaranteeState {
  policies::Guarantee guarantee{};
  policies::Strength strength{};
  std::string mechanism;  ///< "mounts and Landlock ABI 7"
  std::string reason;     ///< why not firmer; "" when it is enforced
  std::string fix;  ///< smallest change of this machine that makes it firmer; "" when enforced
};

/// One entry a guarantee, in the order of policies::Guarantee.
std::vector<GuaranteeState> guarantees_of(const Footing& footing);

/// The guarantees that are weaker than `require` asks for.
std::vector<GuaranteeState> missing_guarantees(const std::vector<GuaranteeState>& held,
                                               const std::vector<policies::Strength>& require);

std::string_view name_of(LimitBy by);
std::string_view name_of(RootMode mode);

}  // namespace fathom::sandbox
