#include "sandbox/zygote/landlock.hpp"

#include <linux/landlock.h>
#include <sys/stat.h>

namespace fathom::sandbox::zygote {
namespace {

// The form of ABI 6; older kernels take a shorter one when the rest is zero.
struct RulesetAttributes {
  std::uint64_t access_fs = 0;
  std::uint64_t access_net = 0;
  std::uint64_t scoped = 0;
};

struct PortRule {
  std::uint64_t access = 0;
  std::uint64_t port = 0;
};

constexpr int kRulePath = 1;
constexpr int kRulePort = 2;

// What may be asked for a file that is no folder: execute, write, read, truncate, ioctl.
constexpr std::uint64_t kFileAccess = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      LANDLOCK_ACCESS_FS_READ_FILE | (1ULL << 14) | (1ULL << 15);

bool add_path(int ruleset, std::uint64_t access, const char* path) {
  const int fd = open_path(path);
  if (fd < 0) return errno == ENOENT || errno == EACCES;
  struct stat info{};
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  if (::fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode)) rule.allowed_access &= kFileAccess;
  rule.parent_fd = fd;
  const bool done = rule.allowed_access == 0 ||
                    ::syscall(SYS_landlock_add_rule, ruleset, kRulePath, &rule, 0) == 0;
  const int error = errno;
  ::close(fd);
  errno = error;
  return done;
}

}  // namespace

Failure build_ruleset(wire::PlanReader& plan, int& ruleset) {
  RulesetAttributes attributes;
  attributes.access_fs = plan.u64();
  attributes.access_net = plan.u64();
  attributes.scoped = plan.u64();
  const bool wanted = attributes.access_fs != 0 || attributes.access_net != 0;
  if (wanted) {
    ruleset =
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
    if (ruleset < 0) return failed(wire::Stage::landlock);
  }
  const std::uint32_t paths = plan.u32();
  for (std::uint32_t i = 0; i < paths; ++i) {
    const std::uint64_t access = plan.u64();
    const char* path = plan.text();
    if (!plan.ok()) return {wire::Stage::plan, EINVAL, i};
    if (wanted && !add_path(ruleset, access & attributes.access_fs, path))
      return failed(wire::Stage::landlock, i);
  }
  const std::uint32_t ports = plan.u32();
  for (std::uint32_t i = 0; i < ports; ++i) {
    PortRule rule;
    rule.access = plan.u64();
    rule.port = plan.u64();
    if (!plan.ok()) return {wire::Stage::plan, EINVAL, i};
    if (wanted && ::syscall(SYS_landlock_add_rule, ruleset, kRulePort, &rule, 0) != 0)
      return failed(wire::Stage::landlock, paths + i);
  }
  return {};
}

}  // namespace fathom::sandbox::zygote
