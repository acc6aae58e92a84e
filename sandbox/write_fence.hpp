// A fence for work that must stay in the runtime's own process: a library that writes by path
// follows what stands there by then, and a command that runs at the same moment may have put a link
// in the way. The kernel then refuses what leads out.
//
// Landlock binds the one thread that asks, and what it starts later; there is no way back. So the
// thread does its piece of work and ends.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace fathom::sandbox {

enum class Fencing : std::uint8_t {
  stands,
  missing,  ///< no Landlock here, or one that cannot move files between folders (ABI 1)
};

/// From here on this thread makes, writes, renames and removes files only in `folders` and below;
/// reading is as before, and so are modes and times. The folders are absolute, their last name no
/// link. Fails when a folder cannot be opened; then nothing is fenced.
Result<Fencing> fence_writes_of_thread(std::span<const std::string> folders);

}  // namespace fathom::sandbox
