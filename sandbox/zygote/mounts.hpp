// Performs a mount recipe (wire::MountOp) in the mount namespace of the calling process.
#pragma once

#include "sandbox/zygote/kernel.hpp"

namespace fathom::sandbox::zygote {

/// The trees that a recipe holds between operations; empty slots are -1.
struct Slots {
  int fds[wire::kSlotsMax];
  constexpr Slots() {
    for (int& fd : fds) fd = -1;
  }
};

/// Reads a count and then as many operations from `plan`. `given` are the trees the zygote made. On
/// failure `detail` is the operation's index.
Failure perform_mounts(wire::PlanReader& plan, Slots& slots, const int* given,
                       std::size_t given_count);

/// A new file system of `type`, mounted at `path`; `options` are "key=value,flag". True on success.
bool mount_new(const char* type, const char* path, const char* options, std::uint64_t attributes);

/// Whether a file system of `type` can be made here at all.
bool can_mount(const char* type);

}  // namespace fathom::sandbox::zygote
