// ScratchFolder: /tmp, /dev/shm, home and run-time folder of a session that has no mounts of its
// own. A folder of the host, private to this user, that goes with the session.
//
// What it does not protect: processes of the same user outside see and change what is in it, and it
// fills the host's disk, not a tmpfs of limited size.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/root_view.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace fathom::sandbox {

class ScratchFolder {
 public:
  /// No folder.
  ScratchFolder() = default;
  /// Makes one below `parent`, and removes those of runtimes that are gone.
  static Result<ScratchFolder> create(const std::filesystem::path& parent);

  ~ScratchFolder();
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&& other) noexcept;

  /// In the new home a link to each path of the old one that may be seen: tools look for their
  /// settings under $HOME.
  void link_home(const std::string& home, const std::vector<ViewEntry>& entries) const;

  /// "" when there is none; links resolved.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string tmp() const { return path_ + "/tmp"; }
  [[nodiscard]] std::string home() const { return path_ + "/home"; }
  [[nodiscard]] std::string run() const { return path_ + "/run"; }
  [[nodiscard]] std::string shared_memory() const { return path_ + "/shm"; }

  /// Removes it with all that is in it; links in it are removed, never followed. What cannot be
  /// removed stays for the next runtime's sweep.
  void remove();

 private:
  std::string path_;
  UniqueFd held_;  ///< its lock
};

}  // namespace fathom::sandbox
