#include "sandbox/seccomp_rules.hpp"

#include "runtime/base/ensure.hpp"

#include <fcntl.h>
#include <linux/sched.h>

#include <array>
#include <bit>
#include <initializer_list>

namespace fathom::sandbox {
namespace {

// The numbers that the rules compare with, named as in the kernel's headers. Not all headers can be
// included together, and some of those of Debian 12 are too old.
constexpr std::uint32_t kNamespaces = CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                      CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                      static_cast<std::uint32_t>(CLONE_NEWNET);
constexpr std::uint32_t kBrowserNamespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::uint32_t kUnshareHarmless = CLONE_FILES | CLONE_FS | CLONE_SYSVSEM;

constexpr std::uint32_t kFamilyUnix = 1;
constexpr std::uint32_t kFamilyInet = 2;
constexpr std::uint32_t kFamilyInet6 = 10;
constexpr std::uint32_t kFamilyNetlink = 16;
constexpr std::uint32_t kTypeStream = 1;
constexpr std::uint32_t kTypeDatagram = 2;
constexpr std::uint32_t kTypeRaw = 3;
constexpr std::uint32_t kTypeSeqpacket = 5;
constexpr std::uint32_t kTypeMask = 0xF;  // the rest is SOCK_CLOEXEC and SOCK_NONBLOCK, or EINVAL
constexpr std::uint32_t kProtocolTcp = 6;
constexpr std::uint32_t kProtocolUdp = 17;
constexpr std::uint32_t kNetlinkRoute = 0;
constexpr std::uint32_t kLevelTcp = 6;
constexpr std::uint32_t kTcpUlp = 31;
constexpr std::uint32_t kMessageFastOpen = 0x20000000;

constexpr std::uint32_t kModeSetid = 06000;
constexpr std::uint32_t kModeType = 0170000;
constexpr std::uint32_t kModeFifo = 0010000;
constexpr std::uint32_t kModeRegular = 0100000;
constexpr std::uint32_t kModeSocket = 0140000;
constexpr std::uint32_t kOpenAccess = 3;
constexpr std::uint32_t kOpenCreate = 0100;
constexpr std::uint32_t kOpenExclusive = 0200;
constexpr std::uint32_t kOpenTruncate = 01000;
constexpr std::uint32_t kOpenReadWrite = 2;
constexpr std::uint32_t kOpenNoFollow = O_NOFOLLOW;  // other bits on arm64
constexpr std::uint32_t kOpenCloseOnExec = 02000000;
constexpr std::uint32_t kModeOwnerWrites = 0200;
constexpr auto kWorkingDir = static_cast<std::uint32_t>(AT_FDCWD);
constexpr std::uint32_t kOpenTemporary = 020000000;  // __O_TMPFILE without O_DIRECTORY

constexpr std::uint32_t kTiocsti = 0x5412;
constexpr std::uint32_t kTioclinux = 0x541C;
constexpr std::uint32_t kTioccons = 0x541D;
constexpr std::uint32_t kTiocsetd = 0x5423;

// FS_IOC_SETFLAGS (of long and of int), FS_IOC_FSSETXATTR, FS_IOC_SETVERSION (likewise),
// FS_IOC_ENABLE_VERITY, FS_IOC_SET_ENCRYPTION_POLICY: the owner may, on a descriptor for reading.
constexpr std::array<std::uint32_t, 7> kAttributeCommands = {
    0x40086602, 0x40046602, 0x401C5820, 0x40087602, 0x40047602, 0x40806685, 0x800C6613};

// Those of btrfs make, remove and lock whole subvolumes, on a descriptor for reading. Three have
// become everybody's and write only what is open for writing: FICLONE, FICLONERANGE and
// FIDEDUPERANGE.
constexpr std::uint32_t kIoctlType = 0xFF00;
constexpr std::uint32_t kBtrfsType = 0x9400;
constexpr std::array<std::uint32_t, 3> kCloneCommands = {0x40049409, 0x4020940D, 0xC0189436};

constexpr std::uint32_t kPrSetMm = 35;
constexpr std::uint32_t kPersonalityQuery = 0xFFFFFFFF;
constexpr std::uint32_t kPersonalityHarmless = 0x0060008;  // LINUX32, UNAME26, ADDR_NO_RANDOMIZE
constexpr std::uint32_t kScheduleNormal = 0;
constexpr std::uint32_t kScheduleBatch = 3;
constexpr std::uint32_t kScheduleIdle = 5;
constexpr std::uint32_t kScheduleResetOnFork = 0x40000000;
constexpr std::uint32_t kUserfaultUserModeOnly = 1;
constexpr std::uint32_t kSignBit = 0x80000000;

Condition is(std::uint8_t argument, std::uint32_t value, std::uint32_t mask = 0xFFFFFFFF) {
  return {.argument = argument, .mask = mask, .value = value};
}

Condition has_any(std::uint8_t argument, std::uint32_t mask) {
  return {.argument = argument, .mask = mask, .match = Match::different};
}

Condition high_word_set(std::uint8_t argument) {
  return {.argument = argument, .word = Word::high, .match = Match::different};
}

Rule always(Answer answer) { return {{}, answer}; }

Answer forbidden_answer(const FilterOptions& options) {
  return options.notify.refused ? Answer::notify : Answer::eperm;
}

Rule clone_rule(const FilterOptions& options) {
  // CLONE_NEWTIME is a bit of the exit signal here, one that no signal has. The kernel takes the
  // flags' low word; what stands above is for clone3.
  const bool nested =
      options.allow_nested_userns && options.profile != policies::SyscallProfile::strict;
  return {{{{has_any(0, kNamespaces & ~(nested ? kBrowserNamespaces : 0))}, Answer::eperm}},
          Answer::allow};
}

Rule unshare_rule(const FilterOptions& options) {
  const bool nested =
      options.allow_nested_userns && options.profile != policies::SyscallProfile::strict;
  const std::uint32_t granted = kUnshareHarmless | (nested ? kBrowserNamespaces : 0);
  return {{{{has_any(0, ~granted)}, Answer::eperm}, {{high_word_set(0)}, Answer::eperm}},
          Answer::allow};
}

// With connect brokered, a datagram socket could still reach any path with sendmsg, whose address
// no filter sees: see NotifySet::connect.
bool unix_datagrams(const FilterOptions& options) {
  return options.unix_sockets && options.profile != policies::SyscallProfile::strict &&
         (!options.notify.connect || options.inet_datagram);
}

void grant_unix(Rule& rule, const FilterOptions& options) {
  // SOCK_RAW would be a datagram socket by another name.
  for (std::uint32_t type : {kTypeStream, kTypeSeqpacket})
    rule.clauses.push_back({{is(0, kFamilyUnix), is(1, type, kTypeMask)}, Answer::allow});
  if (unix_datagrams(options))
    rule.clauses.push_back({{is(0, kFamilyUnix), is(1, kTypeDatagram, kTypeMask)}, Answer::allow});
}

Rule socket_rule(const FilterOptions& options) {
  // 2 and 10 differ in one bit, which halves the clauses for the two.
  static_assert(std::has_single_bit(kFamilyInet ^ kFamilyInet6));
  const Condition inet = is(0, kFamilyInet, ~(kFamilyInet ^ kFamilyInet6));
  Rule rule{{}, Answer::eperm};
  const auto grant = [&](Condition family, std::uint32_t type, std::uint32_t protocol,
                         Answer answer = Answer::allow) {
    rule.clauses.push_back({{family, is(1, type, kTypeMask), is(2, protocol)}, answer});
  };
  const Answer stream = options.notify.connect ? Answer::notify : Answer::allow;
  if (options.unix_sockets) grant_unix(rule, options);
  // By protocol too: MPTCP, SCTP and SMC are streams that Landlock's rules for TCP do not cover,
  // UDP-Lite and ICMP datagrams that nothing covers. Go, which asks for MPTCP, falls back.
  for (std::uint32_t protocol : {0U, kProtocolTcp})
    if (options.inet_stream) grant(inet, kTypeStream, protocol, stream);
  for (std::uint32_t protocol : {0U, kProtocolUdp})
    if (options.inet_datagram) grant(inet, kTypeDatagram, protocol);
  for (std::uint32_t type : {kTypeRaw, kTypeDatagram})
    if (options.netlink_route) grant(is(0, kFamilyNetlink), type, kNetlinkRoute);
  return rule;
}

Rule socketpair_rule(const FilterOptions& options) {
  // A datagram pair is no closed pair: either end can send to any path. A connected stream cannot.
  Rule rule{{}, Answer::eperm};
  grant_unix(rule, options);
  return rule;
}

Rule setsockopt_rule(const FilterOptions&) {
  return {{{{is(1, kLevelTcp), is(2, kTcpUlp)}, Answer::eperm}}, Answer::allow};
}

Rule connect_rule(const FilterOptions& options) {
  return always(options.notify.connect ? Answer::notify : Answer::allow);
}

Rule bind_rule(const FilterOptions& options) { return connect_rule(options); }

Rule sendto_rule(const FilterOptions& options) {
  if (!options.notify.connect) return always(Answer::allow);
  return {{{{has_any(4, 0xFFFFFFFF)}, Answer::notify}, {{high_word_set(4)}, Answer::notify}},
          Answer::allow};
}

Rule send_message_rule(const FilterOptions& options, std::uint8_t flags) {
  if (!options.notify.connect) return always(Answer::allow);
  return {{{{has_any(flags, kMessageFastOpen)}, Answer::eperm}},
          options.inet_datagram ? Answer::notify : Answer::allow};
}
Rule sendmsg_rule(const FilterOptions& options) { return send_message_rule(options, 2); }
Rule sendmmsg_rule(const FilterOptions& options) { return send_message_rule(options, 3); }

Rule ioctl_rule(const FilterOptions& options) {
  Rule rule{{}, Answer::allow};
  for (std::uint32_t command : {kTiocsti, kTioclinux, kTioccons, kTiocsetd})
    rule.clauses.push_back({{is(1, command)}, Answer::eperm});
  if (!options.notify.metadata) return rule;
  for (std::uint32_t command : kAttributeCommands)
    rule.clauses.push_back({{is(1, command)}, Answer::eperm});
  for (std::uint32_t command : kCloneCommands)
    rule.clauses.push_back({{is(1, command)}, Answer::allow});
  rule.clauses.push_back({{is(1, kBtrfsType, kIoctlType)}, Answer::eperm});
  return rule;
}

Rule metadata_rule(const FilterOptions& options) {
  return always(options.notify.metadata ? Answer::notify : Answer::allow);
}

// The calls of Linux 6.13 keep a part of their arguments in memory, and everybody has others.
Rule attribute_at_rule(const FilterOptions& options) {
  return always(options.notify.metadata ? Answer::enosys : Answer::allow);
}

Rule name_rule(const FilterOptions& options) {
  return always(options.notify.shared_memory ? Answer::notify : Answer::allow);
}

// What C libraries call where there are no link and unlink. Elsewhere shm_unlink(3) and sem_open(3)
// never come this way, and rm does.
Rule name_at_rule(const FilterOptions& options) {
#ifdef __x86_64__
  const bool waits = false;
#else
  const bool waits = options.notify.shared_memory;
#endif
  (void)options;
  if (!waits) return always(Answer::allow);
  return {{{{is(0, kWorkingDir)}, Answer::notify}}, Answer::allow};
}

Rule mode_rule(const FilterOptions& options, std::uint8_t mode) {
  if (!options.refuse_setuid_bits) return always(Answer::allow);
  return {{{{has_any(mode, kModeSetid)}, Answer::eperm}}, Answer::allow};
}
Rule mode1_rule(const FilterOptions& options) { return mode_rule(options, 1); }
Rule mode2_rule(const FilterOptions& options) { return mode_rule(options, 2); }

Rule chmod_rule(const FilterOptions& options, std::uint8_t mode) {
  Rule rule = mode_rule(options, mode);
  rule.otherwise = metadata_rule(options).otherwise;
  return rule;
}
Rule chmod1_rule(const FilterOptions& options) { return chmod_rule(options, 1); }
Rule chmod2_rule(const FilterOptions& options) { return chmod_rule(options, 2); }

Rule mknod_rule(const FilterOptions& options, std::uint8_t mode) {
  Rule rule = mode_rule(options, mode);
  for (std::uint32_t type : {0U, kModeRegular, kModeFifo, kModeSocket})
    rule.clauses.push_back({{is(mode, type, kModeType)}, Answer::allow});
  rule.otherwise = Answer::eperm;
  return rule;
}
Rule mknod1_rule(const FilterOptions& options) { return mknod_rule(options, 1); }
Rule mknod2_rule(const FilterOptions& options) { return mknod_rule(options, 2); }

Rule open_rule(const FilterOptions& options, std::uint8_t flags) {
  // Without O_CREAT or O_TMPFILE the mode is whatever the register held before.
  Rule rule{{}, Answer::allow};
  const auto mode = static_cast<std::uint8_t>(flags + 1);
  if (options.refuse_setuid_bits)
    rule.clauses.push_back(
        {{has_any(flags, kOpenCreate | kOpenTemporary), has_any(mode, kModeSetid)}, Answer::eperm});
  if (options.notify.shared_memory) {
    constexpr std::uint32_t kNew = kOpenExclusive | kOpenNoFollow;
    rule.clauses.push_back({{is(flags, kNew, kNew)}, Answer::notify});
    rule.clauses.push_back({{is(flags, kOpenReadWrite | kOpenCreate | kOpenExclusive),
                             has_any(mode, kModeOwnerWrites)},
                            Answer::notify});
    rule.clauses.push_back({{is(flags, kOpenNoFollow | kOpenCloseOnExec)}, Answer::notify});
  }
  if (options.notify.write_opens) {
    rule.clauses.push_back({{has_any(flags, kOpenExclusive)}, Answer::allow});
    rule.clauses.push_back(
        {{has_any(flags, kOpenAccess | kOpenCreate | kOpenTruncate)}, Answer::notify});
  }
  return rule;
}
Rule open1_rule(const FilterOptions& options) { return open_rule(options, 1); }
Rule open2_rule(const FilterOptions& options) { return open_rule(options, 2); }

Rule creat_rule(const FilterOptions& options) {
  Rule rule = mode_rule(options, 1);
  rule.otherwise = options.notify.write_opens ? Answer::notify : Answer::allow;
  return rule;
}

Rule openat2_rule(const FilterOptions& options) {
  const bool unseen = options.refuse_setuid_bits || options.notify.write_opens;
  return always(unseen ? Answer::enosys : Answer::allow);
}

Rule prctl_rule(const FilterOptions&) {
  return {{{{is(0, kPrSetMm)}, Answer::eperm}}, Answer::allow};
}

Rule personality_rule(const FilterOptions&) {
  return {{{{is(0, kPersonalityQuery)}, Answer::allow},
           {{has_any(0, ~kPersonalityHarmless)}, Answer::eperm}},
          Answer::allow};
}

Rule setpriority_rule(const FilterOptions&) {
  return {{{{has_any(2, kSignBit)}, Answer::eperm}}, Answer::allow};
}

Rule scheduler_rule(const FilterOptions&) {
  Rule rule{{}, Answer::eperm};
  for (std::uint32_t policy : {kScheduleNormal, kScheduleBatch, kScheduleIdle})
    rule.clauses.push_back({{is(1, policy, ~kScheduleResetOnFork)}, Answer::allow});
  return rule;
}

Rule limits_rule(const FilterOptions& options) {
  if (options.limit_others) return always(Answer::allow);
  return {{{{has_any(0, 0xFFFFFFFF)}, Answer::eperm}}, Answer::allow};  // 0 is the caller
}

Rule ipc_rule(const FilterOptions& options) {
  return always(options.ipc_objects ? Answer::allow : Answer::eperm);
}

Rule userfaultfd_rule(const FilterOptions& options) {
  return {{{{has_any(0, kUserfaultUserModeOnly)}, Answer::allow}}, forbidden_answer(options)};
}

Rule trace_rule(const FilterOptions& options) {
  return always(options.trace_processes ? Answer::allow : Answer::eperm);
}

Rule chroot_rule(const FilterOptions& options) {
  return always(options.allow_nested_userns ? Answer::allow : forbidden_answer(options));
}

struct NamedRule {
  std::string_view call;
  Rule (*rule)(const FilterOptions&);
};

constexpr auto kRules = std::to_array<NamedRule>({
    {"chmod", chmod1_rule},
    {"bind", bind_rule},
    {"chroot", chroot_rule},
    {"clone", clone_rule},
    {"connect", connect_rule},
    {"creat", creat_rule},
    {"fchmod", chmod1_rule},
    {"fchmodat", chmod2_rule},
    {"fchmodat2", chmod2_rule},
    {"ioctl", ioctl_rule},
    {"kcmp", trace_rule},
    {"mkdir", mode1_rule},
    {"mkdirat", mode2_rule},
    {"mknod", mknod1_rule},
    {"mknodat", mknod2_rule},
    {"open", open1_rule},
    {"openat", open2_rule},
    {"openat2", openat2_rule},
    {"personality", personality_rule},
    {"prctl", prctl_rule},
    {"prlimit64", limits_rule},
    {"process_vm_readv", trace_rule},
    {"ptrace", trace_rule},
    {"process_vm_writev", trace_rule},
    {"sendmmsg", sendmmsg_rule},
    {"sched_setscheduler", scheduler_rule},
    {"sendmsg", sendmsg_rule},
    {"sendto", sendto_rule},
    {"setpriority", setpriority_rule},
    {"setsockopt", setsockopt_rule},
    {"socket", socket_rule},
    {"socketpair", socketpair_rule},
    {"unshare", unshare_rule},
    {"userfaultfd", userfaultfd_rule},
    {"chown", metadata_rule},
    {"fchown", metadata_rule},
    {"lchown", metadata_rule},
    {"fchownat", metadata_rule},
    {"setxattr", metadata_rule},
    {"lsetxattr", metadata_rule},
    {"fsetxattr", metadata_rule},
    {"removexattr", metadata_rule},
    {"lremovexattr", metadata_rule},
    {"fremovexattr", metadata_rule},
    {"utime", metadata_rule},
    {"utimes", metadata_rule},
    {"utimensat", metadata_rule},
    {"futimesat", metadata_rule},
    {"setxattrat", attribute_at_rule},
    {"removexattrat", attribute_at_rule},
    {"link", name_rule},
    {"unlink", name_rule},
    {"linkat", name_at_rule},
    {"semget", ipc_rule},
    {"semop", ipc_rule},
    {"semtimedop", ipc_rule},
    {"semctl", ipc_rule},
    {"msgget", ipc_rule},
    {"msgsnd", ipc_rule},
    {"msgrcv", ipc_rule},
    {"msgctl", ipc_rule},
    {"mq_open", ipc_rule},
    {"mq_unlink", ipc_rule},
    {"unlinkat", name_at_rule},
});

}  // namespace

Rule rule_of(const SyscallGrant& call, const FilterOptions& options) {
  switch (call.in(options.profile)) {
    case Grant::absent:
      return always(Answer::enosys);
    case Grant::refused:
      return always(Answer::eperm);
    case Grant::forbidden:
      return always(forbidden_answer(options));
    case Grant::granted:
      return always(Answer::allow);
    case Grant::checked:
      break;
  }
  for (const auto& [name, rule] : kRules)
    if (name == call.name) return rule(options);
  ensure_failed("rule", "every checked call of the table has a rule", __FILE__, __LINE__);
}

}  // namespace fathom::sandbox
