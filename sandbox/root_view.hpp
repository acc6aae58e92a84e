// RootView: what a session sees of the file system, as a mount recipe. Everything is the host's
// root made read-only by one recursive call; on top come private folders (/tmp, /run, /dev, home),
// trees shown again as the policy grants them, covers over what is hidden, and the pins of
// protected paths.
//
// What it does not protect: what is readable on the host and not hidden stays readable; a host
// process that removes a mount point takes the cover with it (HiddenPaths puts it back before the
// next command, and the audit after each looks again); the session's own /tmp, /run and home are
// shared by its commands.
#pragma once

#include "sandbox/compile.hpp"

#include <string>
#include <vector>

namespace fathom::sandbox {

enum class Show : std::uint8_t { hidden, read, write, private_folder };

/// One path of the view. Sorted by path, so parents come first.
struct ViewEntry {
  std::string path;
  Show show = Show::read;
  PathType type = PathType::folder;
  std::string name;  ///< of a private folder, in the tmpfs that holds them all

  friend bool operator==(const ViewEntry&, const ViewEntry&) = default;
};

/// The policy's grants, the workspace and the private folders, resolved, sorted, one entry a path.
/// Fails on a writable grant that does not exist.
Result<std::vector<ViewEntry>> view_entries(const CompileInput& input, const LookAtPath& look);

/// Every path that must not be seen, as the policy names it, whether it is there or not.
std::vector<std::string> paths_to_hide(const CompileInput& input);

/// Mounts, and the trees that the zygote must clone with mapped ids.
struct RootView {
  MountRecipe mounts;
  std::vector<std::string> idmapped;
};

Result<RootView> build_root_view(const CompileInput& input, const std::vector<ViewEntry>& entries);

/// Self binds and read-only covers, outermost first.
void add_pins(const Pins& pins, MountRecipe& mounts);

}  // namespace fathom::sandbox
