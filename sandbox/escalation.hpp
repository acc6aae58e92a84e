// Escalation: a request to run one command with a policy a little wider than the one in force.
//
// Pure. What is asked for are lines of policy, as decide() and denials name them; each widens
// exactly one thing. Nothing can be asked that would weaken the sandbox itself: no `require`, no
// protected name, no file of the runtime's own, no rule about commands, no folder that holds the
// home, and "without a sandbox" cannot even be said. An approval is bound to the exact command, its
// folder, environment and mode, the policy and the difference: whatever of it changes has to be
// asked anew, and one approval is good for one run.
//
// What it does not protect: a person who approves what they should not.
#pragma once

#include "policies/policy.hpp"
#include "policies/policy_load.hpp"
#include "policies/policy_text.hpp"
#include "runtime/base/result.hpp"
#include "sandbox/compile.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

inline constexpr std::size_t kEscalationGrantsMax = 8;
inline constexpr std::size_t kEscalationGrantBytesMax = 1024;
inline constexpr std::size_t kEscalationReasonBytesMax = 1024;
inline constexpr std::size_t kLedgerEntriesMax = 1024;  // of one session

struct EscalationRequest {
  std::vector<std::string> argv;
  std::string working_dir;                                 ///< absolute
  std::vector<policies::EnvironmentVariable> environment;  ///< what it gets; no secrets
  Mode mode = Mode::direct;
  std::vector<std::string> grants;  ///< such as `network: {hosts: ["a.example"]}`
  std::string reason;               ///< for the person who is asked
};

enum class Widening : std::uint8_t { network, fs_read, fs_write, cache, limit, secret };
std::string_view name_of(Widening widening);

struct Escalation {
  policies::Policy widened;
  std::vector<policies::PolicyChange> changes;
  std::vector<Widening> kinds;       ///< of the grants, in their order
  std::vector<std::string> secrets;  ///< names whose values this one call may be given
  std::string reason;
  std::string binding;  ///< 64 digits over everything but the reason

  /// One change a line: "+ network.hosts grant-1: allow a.example port 443 in …".
  [[nodiscard]] std::string diff() const;
};

/// `context` are the roots and own folders that the policy was loaded with. A path must not lead
/// elsewhere over links (`look` resolves them): a person would approve one name and give another.
/// The error names the grant, what is wrong with it and the smallest fix.
Result<Escalation> plan_escalation(const policies::Policy& policy, const EscalationRequest& request,
                                   const policies::LoadContext& context,
                                   const LookAtPath& look = look_at_path);

/// Who answers. What decides by itself may reject, and never widens.
enum class Decider : std::uint8_t { person, automatic };

enum class Approval : std::uint8_t {
  pending,   ///< somebody has to be asked
  approved,  ///< one run may take it
  rejected,  ///< and stays so for the session
  denied,    ///< the policy lets nobody be asked
};
std::string_view name_of(Approval approval);

/// The approvals of one session.
class ApprovalLedger {
 public:
  /// What is known about the escalation; unknown ones are pending from now on. Approvals of
  /// `policy`, the one in force, may deny at once. `too_large` when the session has asked for more
  /// than kLedgerEntriesMax different ones.
  Result<Approval> ask(const Escalation& escalation, const policies::Policy& policy);

  /// Only what is pending can be approved, and only by a person.
  Result<> approve(std::string_view binding, Decider decider);
  Result<> reject(std::string_view binding);

  /// True once for an approval; what was taken has to be asked again.
  bool take(std::string_view binding);

 private:
  std::map<std::string, Approval, std::less<>> entries_;
};

}  // namespace fathom::sandbox
