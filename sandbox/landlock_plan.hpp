// The Landlock rules of a session: behind the mounts a second fence, in a container the only one.
//
// What it does not protect: metadata (stat, chmod, chown, utime, xattr) of files outside the rules,
// as Landlock has no such rights (MetadataBroker answers all of these but stat); before ABI 3
// truncation, before ABI 2 renames between folders (refused altogether), before ABI 4 TCP, before
// ABI 6 signals and abstract sockets; UDP and Unix sockets never.
#pragma once

#include "sandbox/compile.hpp"
#include "sandbox/root_view.hpp"

namespace fathom::sandbox {

inline constexpr int kLandlockTcpAbi = 4;
inline constexpr int kLandlockScopeAbi = 6;

/// Everything that this ABI can deny on files.
std::uint64_t landlock_fs_access(int abi);

LandlockPlan landlock_plan(const CompileInput& input, const std::vector<ViewEntry>& entries);

}  // namespace fathom::sandbox
