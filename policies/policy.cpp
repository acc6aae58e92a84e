#include "policies/policy.hpp"

#include "runtime/base/ensure.hpp"

namespace fathom::policies {

std::vector<Strength> Policy::default_require() {
  std::vector<Strength> require(kGuarantees, Strength::none);
  const auto at_least = [&](Guarantee guarantee, Strength strength) {
    require[static_cast<std::size_t>(guarantee)] = strength;
  };
  at_least(Guarantee::fs_write, Strength::enforced);
  at_least(Guarantee::network, Strength::enforced);
  at_least(Guarantee::tree_kill, Strength::best_effort);
  return require;
}

// The names are read by documents and scripts: once published they do not change.

std::string_view name_of(Guarantee guarantee) {
  ENSURE(static_cast<std::size_t>(guarantee) < kGuarantees, "the table has every guarantee");
  return kGuaranteeNames[static_cast<std::size_t>(guarantee)];
}

std::string_view name_of(Strength strength) {
  return kStrengthNames[static_cast<std::size_t>(strength)];
}

std::string_view name_of(Access access) { return kAccessNames[static_cast<std::size_t>(access)]; }

std::string_view name_of(Protection protection) {
  return kProtectionNames[static_cast<std::size_t>(protection)];
}

std::string_view name_of(Verdict verdict) {
  return kVerdictNames[static_cast<std::size_t>(verdict)];
}

std::string_view name_of(Phase phase) { return kPhaseNames[static_cast<std::size_t>(phase)]; }

std::string_view name_of(SecretUse use) { return kSecretUseNames[static_cast<std::size_t>(use)]; }

std::string_view name_of(ApprovalMode mode) {
  return kApprovalModeNames[static_cast<std::size_t>(mode)];
}

std::string_view name_of(SyscallProfile profile) {
  return kSyscallProfileNames[static_cast<std::size_t>(profile)];
}

}  // namespace fathom::policies
