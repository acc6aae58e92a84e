// SharedMemory: the names of /dev/shm for a session without mounts. glibc's shm_open(3) and
// sem_open(3) have that path built in, and Landlock could only grant the folder as it is, with the
// shared memory of everything else that this user runs. So the opens, links and removals of names
// there wait, are done in a folder of the session, and the command gets the descriptor.
//
// What it does not protect: the commands of one session share the names. What it does not give: a
// listing, stat, rename or chmod by such a name see the host's folder or nothing; names made by
// other opens than the C library's (NotifySet::shared_memory) are refused; the memory is the disk's
// page cache where the folder is on a disk, so it is written back.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/notify_channel.hpp"

#include <optional>
#include <string>

namespace fathom::sandbox {

class SharedMemory {
 public:
  /// In `folder`, which exists and goes with the session.
  static Result<SharedMemory> create(const std::string& folder);

  /// Whether the call is about names and not handled elsewhere.
  static bool is_name_call(int number);

  /// Answers an open of `path` when that is a name in /dev/shm; false leaves the call waiting.
  [[nodiscard]] bool open(const NotifyChannel& channel, const NotifiedCall& call,
                          const std::string& path) const;

  /// Answers link and unlink, those of other names by letting the kernel judge them.
  void change_name(const NotifyChannel& channel, const NotifiedCall& call) const;

 private:
  explicit SharedMemory(UniqueFd folder) : folder_(std::move(folder)) {}
  [[nodiscard]] int link(const std::optional<std::string>& from,
                         const std::optional<std::string>& to) const;

  UniqueFd folder_;
};

/// The name in /dev/shm that `path` is written as; nothing for other paths. Links are not followed:
/// one that leads there is refused by the kernel.
std::optional<std::string> shared_memory_name(const std::string& path);

}  // namespace fathom::sandbox
