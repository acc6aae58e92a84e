// What overlayfs leaves in the upper folder of a session, read from outside once no session uses
// it.
//
// A removed name is a character device 0:0 (a whiteout), on newer kernels also an empty file with
// the attribute user.overlay.whiteout; a folder that hides the one below it is opaque; what was
// copied up carries an origin. A program in the sandbox can forge none of these: it may not make
// devices, and the kernel renames the user.overlay.* attributes that it sets.
#pragma once

#include "sandbox/directory.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::sandbox {

struct LayerEntry {
  Stamp stamp;
  bool whiteout = false;
  bool opaque = false;  ///< of a folder: nothing of the one below shows through
};

/// Looks at the entry itself, without opening it and without following a link.
Result<LayerEntry> look_at_layer(int folder, const std::string& name);

/// Whether the file or folder began as a copy of one of the workspace.
bool is_copied_up(int folder, const std::string& name);

/// Opens what the layer holds whatever its permission bits are: a command may have taken its own
/// rights away. The bits are put back at the latest when this object goes.
class LayerReader {
 public:
  explicit LayerReader(int root) : root_(root) {}
  ~LayerReader();
  LayerReader(const LayerReader&) = delete;
  LayerReader& operator=(const LayerReader&) = delete;

  /// For listing and as the base of *at calls. No link is followed.
  Result<UniqueFd> folder(const std::string& path);

  /// A regular file for reading. Never blocks on a fifo, never follows a link.
  static Result<UniqueFd> file(int folder, const std::string& name);

 private:
  struct Opened {
    UniqueFd folder;
    std::uint32_t mode = 0;
  };
  Result<UniqueFd> enter(int folder, const std::string& name);

  static constexpr std::size_t kOpenedMax = 64;  ///< held open; further ones keep the added bits
  int root_;
  std::vector<Opened> opened_;
};

/// Copies the user's own extended attributes; those of overlayfs stay behind. Never fails: a file
/// system that takes none is no reason to lose the file.
void copy_user_attributes(int from, int to);

}  // namespace fathom::sandbox
