// The bytes of one file into another: shared with the old one where the file system can, holes kept
// as holes, so that a sparse file does not fill the disk.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>

namespace fathom::sandbox {

/// Copies all of `from` to the empty file `to`, by positions.
Result<> copy_bytes(int from, int to, std::uint64_t bytes);

}  // namespace fathom::sandbox
