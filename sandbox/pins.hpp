// Pins: what is covered by mounts in a workspace before a command runs (protected_tree.hpp finds
// them, root_view.hpp mounts them).
#pragma once

#include <string>
#include <vector>

namespace fathom::sandbox {

/// Absolute paths.
struct Pins {
  std::vector<std::string> read_only;   ///< to be covered by themselves, read-only
  std::vector<std::string> self_binds;  ///< their folders, outermost first: bound on themselves, so
                                        ///< that they cannot be renamed away
  std::vector<std::string> writable;  ///< git directories outside the workspace that it belongs to
  std::vector<std::string> notes;     ///< what cannot be pinned or was not looked at, and why
};

}  // namespace fathom::sandbox
