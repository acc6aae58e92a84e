// Open folders of a snapshot, few at a time, so that a walk of a very deep tree neither opens a
// descriptor a level nor walks from the root for each entry.
#pragma once

#include "sandbox/tree_scan.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace fathom::sandbox {

class FolderCache {
 public:
  static constexpr std::size_t kOpenMax = 32;

  /// Both must outlive the cache; folders may be added to `snapshot` meanwhile.
  FolderCache(const ScanSubject& subject, const Snapshot& snapshot)
      : subject_(subject), snapshot_(snapshot) {}

  /// A descriptor of the folder, good until the next call.
  Result<int> open(std::uint32_t directory);

  /// Stat of an entry of the folder.
  Result<Stamp> stamp(std::uint32_t directory, const std::string& name);

 private:
  struct Opened {
    std::uint32_t directory;
    UniqueFd fd;
  };
  const Opened* find(std::uint32_t directory);
  [[nodiscard]] int root_of(std::uint32_t directory) const;

  const ScanSubject& subject_;
  const Snapshot& snapshot_;
  std::deque<Opened> opened_;
  std::size_t path_steps_ = 0;
};

}  // namespace fathom::sandbox
