// Where things go that a command made and that must not stay: moved, never deleted, and never
// through a link.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"

#include <cstddef>
#include <string>

namespace fathom::sandbox {

class Quarantine {
 public:
  static constexpr std::size_t kThingsMax = 100'000;
  static constexpr std::size_t kCopyBytesMax = 1ULL
                                               << 30;  ///< of one thing, to another file system
  static constexpr std::size_t kCopyEntriesMax = 100'000;

  /// `path` is an existing folder that no command can write.
  static Result<Quarantine> open(const std::string& path);

  /// Moves the entry `name` of the open folder away and answers where it is now. On another file
  /// system it is copied and then removed; what cannot be copied stays beside its place under a
  /// name that nothing looks for, and the answer is that name. `not_found` when there is nothing.
  Result<std::string> take(int folder, const std::string& name);

 private:
  Quarantine(std::string path, UniqueFd folder)
      : path_(std::move(path)), folder_(std::move(folder)) {}
  Result<std::string> take_across(int folder, const std::string& name, const std::string& as);

  std::string path_;
  UniqueFd folder_;
  std::size_t next_ = 1;
};

}  // namespace fathom::sandbox
