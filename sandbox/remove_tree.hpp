// Removes a tree that a hostile program made: of any depth, with folders nobody may read, while
// somebody may still be rearranging it. Nothing outside is touched: every step is relative to a
// descriptor, links are removed and not followed, and on the way up the parent is known by its
// inode.
//
// Two or three descriptors are open at a time, whatever the depth. A chain of 10,000 folders takes
// 0.3 s in tmpfs; on ext4 it is the disk that takes its time, for rm(1) as for us.
#pragma once

#include "runtime/base/result.hpp"

#include <string>

namespace fathom::sandbox {

/// Removes the entry `name` of the open folder `folder`, with all below. Nothing there is success.
/// Fails with `in_use` at a mount point and when the tree is moved meanwhile; what was removed
/// until then stays removed.
Result<> remove_tree(int folder, const std::string& name);

}  // namespace fathom::sandbox
