// FilterOptions: what a system-call filter is built for. The launcher fills it from the policy and
// from the rung that it found; equal options give the same filter, so the caller may keep it.
#pragma once

#include "policies/policy.hpp"

namespace fathom::sandbox {

/// Groups of calls that wait for the supervisor instead of being answered in the kernel. A round
/// trip costs 5 to 48 us, so BPF looks at the registers first: an open for reading never waits. All
/// of it needs a listener; without one the kernel answers ENOSYS.
struct NotifySet {
  /// open, openat and creat that may write, create or truncate; not with O_EXCL, which makes a new
  /// file: that is what git, tar, cp and mkstemp do by the thousand, and a wait for each cost a
  /// checkout of 5,000 files half its time again. openat2 keeps its flags in memory, where they can
  /// change between our look and the kernel's, so it answers ENOSYS: every caller falls back to
  /// openat, which is seen.
  bool write_opens = false;

  /// The broker of connections: the supervisor makes every Internet socket, binds it and connects
  /// it. socket (of the Internet), bind, connect, and sendto with an address wait. sendmsg and
  /// sendmmsg keep the address in memory: they wait only when `inet_datagram` gives them a socket
  /// that obeys it (then a launch cannot hand its listener over: it does that by sendmsg);
  /// otherwise datagram sockets of the unix family are refused too, and nothing is left that
  /// sendmsg could direct. TCP fast open (a connection made by sending) is refused. listen does not
  /// wait: a socket that the supervisor made has its loopback address already. sendto to netlink
  /// does wait (getifaddrs).
  bool connect = false;

  /// Modes, owners, times and attributes of files, for which Landlock has no rights: chmod, chown,
  /// utime, setxattr, removexattr and their kin wait, and the supervisor makes the change itself.
  /// setxattrat and removexattrat answer ENOSYS, so that callers use those. The ioctl commands that
  /// change what only lsattr shows are refused, and btrfs's own, which make and remove whole
  /// subvolumes: they need no descriptor for writing.
  bool metadata = false;

  /// Names in /dev/shm, where the session has none of its own: link and unlink wait, and the opens
  /// that shm_open(3) and sem_open(3) make. Those for writing wait with `write_opens` anyway; here
  /// it is new files with O_NOFOLLOW or as glibc makes a semaphore's (mkstemp's flags, but not the
  /// mode of git's objects), and the one way in which shm_open opens for reading.
  bool shared_memory = false;

  /// The calls that are always refused wait, so that the supervisor can record them before it
  /// answers EPERM. Refused arguments of other calls (clone, ioctl, ...) do not wait.
  bool refused = false;

  friend bool operator==(const NotifySet&, const NotifySet&) = default;
};

/// The defaults grant nothing beyond the profile.
struct FilterOptions {
  policies::SyscallProfile profile = policies::SyscallProfile::build;

  bool unix_sockets = false;   ///< socket(AF_UNIX); stream and seqpacket pairs always work
  bool inet_stream = false;    ///< TCP over IPv4 and IPv6
  bool inet_datagram = false;  ///< UDP over IPv4 and IPv6
  bool netlink_route = false;  ///< reading and setting the network namespace's own routes

  /// No call may set S_ISUID or S_ISGID: for children that are uid 0, or mapped to it, whose files
  /// would keep the bits outside. openat2 keeps its mode in memory and answers ENOSYS then.
  bool refuse_setuid_bits = false;

  /// Browsers' own sandboxes: user, pid and network namespaces and chroot, in `build` and `debug`.
  /// It hands the child capabilities in its new namespaces, and with them the kernel code behind
  /// them, which is where most published escapes begin.
  bool allow_nested_userns = false;

  /// ptrace and reading or writing another process. Only for children that see none but their own:
  /// without a pid namespace or a Landlock domain, others of the same user are in reach.
  bool trace_processes = true;

  /// prlimit64 of another process. With a processor limit of nothing it ends any process of the
  /// same user, the runtime too, so only for children that see none but their own; Landlock has no
  /// say.
  bool limit_others = true;

  /// Semaphores of System V, and message queues of both kinds. They belong to the ipc namespace,
  /// where those of the same user can be used and removed: so only for children that have one of
  /// their own. System V's shared memory stays granted without: PostgreSQL does not start else.
  bool ipc_objects = true;

  NotifySet notify = {};

  friend bool operator==(const FilterOptions&, const FilterOptions&) = default;
};

}  // namespace fathom::sandbox
