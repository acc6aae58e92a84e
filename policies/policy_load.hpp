// From a policy document to what it states.
//
//   apiVersion: fathom/v1
//   kind: Policy
//   name: mine
//   filesystem: {write: [{path: ~/scratch, match: [~/scratch/x]}]}
//   network: {hosts: [registry.npmjs.org]}
//
// Paths: "~" and "${workspace}" are replaced by the context's values, relative ones are below the
// workspace, ".." is refused. Nothing comes from the environment. A rule's `match` and `no_match`
// examples are checked here, so a rule that does not do what its author thinks never loads.
// policy.schema.json describes all keys for editors.
#pragma once

#include "policies/policy_patch.hpp"
#include "runtime/base/result.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::policies {

constexpr std::size_t kPolicyBytesMax = kYamlBytesMax;
constexpr std::size_t kGrantsMax = 1024;
constexpr std::size_t kRulesMax = 1024;    ///< of a list
constexpr std::size_t kPatternsMax = 256;  ///< of a rule
constexpr std::size_t kExamplesMax = 64;   ///< of a rule
constexpr std::size_t kVariablesMax = 1024;

/// What the documents' paths and rule ids stand on.
struct LoadContext {
  std::string workspace;  ///< absolute, normal, links resolved
  std::string home;       ///< likewise
  /// Fathom's own folders (policies, pins, journals): never writable for a command.
  std::vector<std::string> own_folders;
  std::string id_prefix;  ///< of rules without an `id`: "user:" gives "user:exec.rules[0]"
};

/// `file` names the document in errors. Fails with `usage` and "FILE: line N: column M: …".
Result<PolicyPatch> load_policy_patch(std::string_view text, std::string_view file,
                                      const LoadContext& context);

/// One document as a whole policy, what it does not state being as in Policy{}.
Result<Policy> load_policy(std::string_view text, std::string_view file,
                           const LoadContext& context);

/// A mapping of the document and the keys it may have: "filesystem.read[]" for the elements of a
/// list. The loader knows exactly these, and the published schema has to have the same.
struct PolicyKeys {
  std::string_view section;
  std::vector<std::string_view> keys;
};
std::span<const PolicyKeys> policy_keys();

}  // namespace fathom::policies
