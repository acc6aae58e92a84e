#include "sandbox/write_fence.hpp"

#include "runtime/base/unique_fd.hpp"
#include "sandbox/landlock_plan.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>

namespace fathom::sandbox {
namespace {

// git moves files between folders (an object from where it was written to its own), which Landlock
// can allow from this ABI on.
constexpr int kReferAbi = 2;

constexpr std::uint64_t kNotWriting =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kIoctlDev = 1ULL << 15;  // ABI 5: no file is written by it

std::uint64_t writing_rights(int abi) {
  return landlock_fs_access(abi) & ~kNotWriting & ~kIoctlDev;
}

Error failed(const std::string& what) { return system_error("write fence: " + what, errno); }

}  // namespace

Result<Fencing> fence_writes_of_thread(std::span<const std::string> folders) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < kReferAbi) return Fencing::missing;
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = writing_rights(static_cast<int>(abi));
  const UniqueFd rules(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled.handled_access_fs, 0)));
  if (!rules) return fail(failed("landlock_create_ruleset"));
  for (const std::string& path : folders) {
    const UniqueFd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) return fail(failed(path));
    landlock_path_beneath_attr rule{};
    rule.allowed_access = handled.handled_access_fs;
    rule.parent_fd = folder.get();
    if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
      return fail(failed(path));
  }
  // The kernel takes no fence from who could gain privileges past it; both hold for this thread.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(failed("no_new_privs"));
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0)
    return fail(failed("landlock_restrict_self"));
  return Fencing::stands;
}

}  // namespace fathom::sandbox
