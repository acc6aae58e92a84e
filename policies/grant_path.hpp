// The paths of a policy document: expanded, made normal, and judged for width.
#pragma once

#include "policies/policy_load.hpp"

#include <string>
#include <string_view>

namespace fathom::policies {

/// "~/x", "${workspace}/x", "/x" or "x" (below the workspace) as a normal absolute path. The
/// error's message says what is wrong and the fix.
Result<std::string> expand_path(std::string_view text, const LoadContext& context);

/// Why a writable grant on `path` needs `confirm_wide: true`, or empty: "/", a folder of the root,
/// the home directory, or a folder around the workspace or Fathom's own files.
std::string wide_reason(const std::string& path, const LoadContext& context);

/// True for Fathom's own files, which no grant makes writable.
bool is_own(const std::string& path, const LoadContext& context);

}  // namespace fathom::policies
