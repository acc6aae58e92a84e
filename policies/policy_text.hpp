// A policy as text: for people (explain, diff) and in canonical YAML (hashes, approvals).
#pragma once

#include "policies/policy.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fathom::policies {

/// One value of a policy. `kind` and `item` together are its key: "limits.memory", or
/// "filesystem.paths" and "/home/u/.ssh".
struct PolicyLine {
  std::string kind;
  std::string item;  ///< path, pattern, rule id or name; empty for single values
  std::string value;

  [[nodiscard]] std::string key() const { return item.empty() ? kind : kind + " " + item; }
  friend bool operator==(const PolicyLine&, const PolicyLine&) = default;
};

/// Every value of the policy, in the order of its canonical form.
std::vector<PolicyLine> policy_lines(const Policy& policy);

/// The values of a rule as one line, such as "deny git push *".
std::string to_line(const ExecRule& rule);
std::string to_line(const HostRule& rule);
std::string join(const std::vector<std::string>& words, std::string_view between);

struct PolicyChange {
  std::string key;
  std::string before;  ///< empty: new
  std::string after;   ///< empty: gone

  friend bool operator==(const PolicyChange&, const PolicyChange&) = default;
};

/// What differs, in the order of `before` and then of what is new. The order of rules counts: one
/// that moved is a change of "exec.rules" as a whole.
std::vector<PolicyChange> policy_diff(const Policy& before, const Policy& after);

/// Sorts what has no order of its own, as merging layers leaves it.
void make_canonical(Policy& policy);

/// The whole policy as a document: load_policy() with the same workspace and home gives back a
/// canonical policy exactly. Paths are absolute.
std::string to_yaml(const Policy& policy);

/// `sha256:` and 64 digits over the canonical form and the two roots: the name under which an
/// approval, a plan or a journal refers to a policy.
std::string policy_hash(const Policy& policy);

/// 64 digits over any bytes, such as those of a document that a user pins.
std::string sha256_hex(std::string_view bytes);

}  // namespace fathom::policies
