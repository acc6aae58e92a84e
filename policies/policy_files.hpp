// Where policies lie on disk, and which of them hold for a run.
//
//   built-in      default.yaml of the program, and on it the shipped document that was asked for
//   user          ~/.config/fathom/policy.yaml
//   project       WORKSPACE/.fathom/policy.yaml
//   command line  the file that was asked for
//   narrowing     what a sub-agent's document asks for: narrows only
//
// What lies in the workspace narrows only, whichever layer it is, unless pinned. When a shipped
// document other than default was asked for, the user's own layer narrows only too: `readonly`
// stays read-only whatever the user allows on ordinary days.
#pragma once

#include "policies/policy_layers.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace fathom::policies {

struct PolicyRequest {
  std::filesystem::path workspace;  ///< must exist
  /// Name of a shipped document or path of a file; empty is "default". A name that is both is the
  /// shipped one: write ./NAME for the file.
  std::string policy;
  /// Further ones, named alike, that can take away from it and add nothing: those of sub-agents,
  /// the outermost first.
  std::vector<std::string> narrowed_by = {};
};

/// Reads what there is, merges it, and says where each value comes from. HOME must be absolute.
Result<EffectivePolicy> load_effective_policy(const PolicyRequest& request,
                                              const GetEnv& env = process_env);

/// What documents of this user and workspace stand on, for reading single ones.
Result<LoadContext> load_context(const std::filesystem::path& workspace, const GetEnv& env);

}  // namespace fathom::policies
