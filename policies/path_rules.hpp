// Paths as a policy means them: absolute, without "." and "..", "//" or a trailing "/". Pure text:
// symbolic links are resolved by who asks.
#pragma once

#include "policies/policy.hpp"

#include <string>
#include <string_view>

namespace fathom::policies {

constexpr std::size_t kPathBytesMax = 4095;  ///< PATH_MAX without its NUL

/// Absolute and normal, as decide() and the sandbox need it.
bool is_normal_path(std::string_view path);

/// `path` itself or something below it; "/" holds everything. Both are normal paths.
bool is_at_or_below(std::string_view path, std::string_view folder);

/// The grant that decides about `path`: the longest one that holds it, and at the same path hidden
/// before read before write. The workspace and the home directory count as grants. Nothing holds
/// it: an empty path, which may be read (the system's folders).
PathGrant grant_for(const Filesystem& filesystem, std::string_view path);

/// True when `pattern` of a protected name is about `relative`, a path below the workspace, at
/// whatever depth: "*.pth" about "lib/x.pth", ".cargo/config.toml" about "a/.cargo/config.toml",
/// ".vscode/" about ".vscode" and all below it.
bool matches_protected(std::string_view pattern, std::string_view relative);

/// The strictest protected name about `relative`, or nullptr.
const ProtectedName* protected_name_for(const Filesystem& filesystem, std::string_view relative);

}  // namespace fathom::policies
