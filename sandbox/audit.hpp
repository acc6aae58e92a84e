// What an audit answers, and how one deviation is corrected: moved to quarantine, put back,
// rewritten. ProtectedTree::audit (protected_tree.hpp) looks, compares and calls this.
#pragma once

#include "sandbox/quarantine.hpp"
#include "sandbox/tree_diff.hpp"
#include "sandbox/tree_scan.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

enum class AuditAction : std::uint8_t {
  reverted,     ///< what stood there before stands there again
  quarantined,  ///< what the command made lies in the quarantine folder
  reported,     ///< it is as the command left it: `detail` says why
};
std::string_view name_of(AuditAction action);

struct Finding {
  std::string path;  ///< relative to the workspace; absolute for a git directory outside of it
  std::string rule;
  AuditAction action = AuditAction::reported;
  std::string detail;
};

struct AuditReport {
  std::vector<Finding> findings;
  /// New or changed files that the user's programs run by themselves, which the policy allows.
  std::vector<Finding> will_run_later;
  /// "audit incomplete: …": what was not looked at. Empty: everything was.
  std::vector<std::string> incomplete;

  [[nodiscard]] bool clean() const { return findings.empty() && incomplete.empty(); }
};

/// Carries out one deviation and says what was done. Never follows a link; what is in the way goes
/// to the quarantine.
Finding correct(const ScanSubject& subject, Quarantine& quarantine, const Deviation& deviation);

}  // namespace fathom::sandbox
