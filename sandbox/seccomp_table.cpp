#include "sandbox/seccomp_table.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace fathom::sandbox {
namespace {

using enum Grant;

// Calls that are treated alike. Why they are, and what a grant does not protect, stands above each.
struct Group {
  Grant build;
  Grant debug;
  Grant strict;
  std::string_view names;  ///< separated by blanks
};

constexpr auto kGroups = std::to_array<Group>({
    // Descriptors that the child has. Which ones it can get is decided where they are opened; bytes
    // written, and the load of sync on the host's disks, are bounded by limits, not here.
    {granted, granted, granted,
     "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close "
     "close_range dup dup2 dup3 fcntl flock fsync fdatasync sync syncfs sync_file_range fallocate "
     "ftruncate fadvise64 readahead sendfile splice tee vmsplice copy_file_range pipe pipe2 poll "
     "ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait "
     "epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime "
     "timerfd_gettime inotify_init inotify_init1 inotify_add_watch inotify_rm_watch cachestat"},

    // Linux AIO: reads, writes and polls of descriptors only, unlike io_uring.
    {granted, granted, granted,
     "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents"},

    // Names of files. Which paths may be seen or changed is the mounts' and Landlock's affair: here
    // a path is a pointer, and what it points to can change after the check.
    {granted, granted, granted,
     "stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink "
     "readlinkat getdents getdents64 getcwd chdir fchdir rename renameat renameat2 symlink "
     "symlinkat rmdir truncate umask getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr "
     "flistxattr listxattrat"},

    // The same, but the supervisor stands in for what Landlock lacks: times, which it has no right
    // for (NotifySet::metadata), and names in /dev/shm (NotifySet::shared_memory).
    {checked, checked, checked, "utime utimes utimensat futimesat link linkat unlink unlinkat"},

    // The same, with mode bits or open flags in a register that the options may forbid.
    {checked, checked, checked,
     "open openat openat2 creat mkdir mkdirat chmod fchmod fchmodat fchmodat2"},

    // What a formatter never needs and a build does: owners and attributes of its own files. Owners
    // beyond the namespace's map, and trusted.* and security.*, need capabilities that are gone.
    // Whose files is the mounts' affair, or the supervisor's: NotifySet::metadata.
    {checked, checked, refused,
     "chown fchown lchown fchownat setxattr lsetxattr fsetxattr setxattrat removexattr "
     "lremovexattr fremovexattr removexattrat"},

    // Fifos, sockets and regular files (valgrind makes fifos); never devices.
    {checked, checked, refused, "mknod mknodat"},

    // ioctl reaches whatever the descriptor is: devices must be kept out of /dev. Only the four
    // commands that push input into a terminal or seize the console are refused here, and with
    // NotifySet::metadata those that change attributes or subvolumes through a descriptor for
    // reading.
    {checked, checked, checked, "ioctl"},

    // Memory of its own. Writable code stays possible: every JIT needs it (7 of 29 toolchains break
    // without). How much memory is a limit's affair.
    {granted, granted, granted,
     "brk mmap munmap mremap mprotect madvise msync mincore mlock mlock2 mlockall munlock "
     "munlockall mseal map_shadow_stack memfd_create remap_file_pages pkey_alloc pkey_free "
     "pkey_mprotect membarrier get_mempolicy set_mempolicy"},

    // Processes of its own. exec of what it can read and execute is granted: which programs exist
    // is the mounts' affair. fork bombs are a limit's.
    {granted, granted, granted,
     "fork vfork execve execveat exit exit_group wait4 waitid getpid getppid gettid getpgid "
     "getpgrp setpgid getsid setsid set_tid_address set_robust_list get_robust_list rseq "
     "arch_prctl restart_syscall uretprobe uprobe"},

    // Threads and processes, but no namespaces: each one opens kernel code to a capable child.
    {checked, checked, checked, "clone unshare"},

    // clone3 keeps its flags in memory, where no filter can see them. ENOSYS and never EPERM: glibc
    // falls back to clone on nothing else (EPERM broke 17 of 29 toolchains).
    {absent, absent, absent, "clone3"},

    // Signals. Whom they reach is bounded by the pid namespace, or by Landlock from ABI 6 on;
    // without either, every process of the same user is in reach.
    {granted, granted, granted,
     "kill tkill tgkill pidfd_open pidfd_send_signal process_mrelease pause alarm rt_sigaction "
     "rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
     "rt_tgsigqueueinfo sigaltstack"},

    // Identity: no capability is left, so only ids that it already has (make sets its own).
    {granted, granted, granted,
     "getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid "
     "setresuid setresgid setgroups setfsuid setfsgid capget capset"},

    // Own attributes. prctl: all but PR_SET_MM, which moves the memory map that /proc shows.
    // personality: no READ_IMPLIES_EXEC and no other systems' semantics.
    {checked, checked, checked, "prctl personality"},

    // Further filters and Landlock layers only take away. A nested listener fails with EBUSY where
    // ours is in place.
    {granted, granted, granted,
     "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self"},

    // Scheduling and limits: without CAP_SYS_NICE and CAP_SYS_RESOURCE down only. By pid they also
    // reach processes of the same user outside, where there is no pid namespace.
    {granted, granted, granted,
     "sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam "
     "sched_getscheduler sched_getattr sched_get_priority_max sched_get_priority_min "
     "sched_rr_get_interval getpriority ioprio_get ioprio_set getrlimit setrlimit "
     "getrusage getcpu"},
    {granted, granted, checked, "setpriority"},

    // The same, and those of others by pid: FilterOptions::limit_others.
    {checked, checked, checked, "prlimit64"},

    // Realtime classes are refused by number; sched_setattr keeps the class in memory, so whole.
    {checked, checked, checked, "sched_setscheduler"},
    {refused, refused, refused, "sched_setattr"},

    // Time, and facts that /proc tells as well.
    {granted, granted, granted,
     "time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep times getitimer "
     "setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete uname "
     "sysinfo getrandom"},

    // adjtimex reads the clock's state with modes 0 and sets it with others, but the modes are in
    // memory. The capability to set it is gone too; that is the first fence, this is the second.
    {refused, refused, refused, "adjtimex clock_adjtime"},

    // Between threads and processes. System V's shared memory belongs to the ipc namespace: without
    // one of its own, that of the same user is in reach. A queue's descriptor comes from mq_open.
    {granted, granted, granted,
     "futex futex_waitv futex_wait futex_wake futex_requeue shmget shmat shmdt shmctl "
     "mq_timedsend mq_timedreceive mq_notify mq_getsetattr"},

    // The ipc namespace's other objects: FilterOptions::ipc_objects.
    {checked, checked, checked,
     "semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink"},

    // Sockets by family, type and protocol; `strict` has pairs only. Where a granted socket may
    // connect to, and which address it may bind, is decided by the network namespace, Landlock or
    // the supervisor, not here.
    {checked, checked, refused, "socket connect bind"},
    {checked, checked, checked, "socketpair sendto sendmsg sendmmsg"},
    {granted, granted, refused, "listen accept accept4"},
    {granted, granted, granted,
     "recvfrom recvmsg recvmmsg getsockname getpeername getsockopt shutdown"},

    // All options but TCP_ULP, which makes a TCP socket one of another kind (smc, kernel TLS): that
    // would undo the choice of families above.
    {checked, checked, checked, "setsockopt"},

    // Debuggers and leak checkers look into their own children. FilterOptions::trace_processes.
    {checked, checked, refused, "ptrace process_vm_readv"},
    {absent, checked, absent, "process_vm_writev"},

    // For debug only: profilers and user-mode page faults. Both have a long record of kernel bugs;
    // the kernel's own settings (perf_event_paranoid) still apply.
    {forbidden, granted, forbidden, "perf_event_open"},
    {forbidden, checked, forbidden, "kcmp userfaultfd"},

    // chroot for browsers' own sandboxes only.
    {checked, checked, forbidden, "chroot"},

    // Mounts and namespaces: with these a child undoes what confines it.
    {forbidden, forbidden, forbidden,
     "mount umount2 pivot_root open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick "
     "mount_setattr setns"},

    // Ways around the checks of paths and calls: files by handle, calls through a ring (with which
    // opens, connects and sockets pass no filter), descriptors and memory of others.
    {forbidden, forbidden, forbidden,
     "open_by_handle_at io_uring_setup io_uring_enter io_uring_register pidfd_getfd "
     "process_madvise move_pages migrate_pages memfd_secret"},

    // The kernel's programs, keys, modules and its log.
    {forbidden, forbidden, forbidden,
     "bpf keyctl add_key request_key kexec_load kexec_file_load init_module finit_module "
     "delete_module syslog fanotify_init"},

    // The machine: clocks, quotas, swap, ports, names, accounting, consoles.
    {forbidden, forbidden, forbidden,
     "acct swapon swapoff reboot quotactl quotactl_fd settimeofday clock_settime iopl ioperm "
     "vhangup sethostname setdomainname lookup_dcookie"},

    // Long dead, with old bugs.
    {forbidden, forbidden, forbidden, "nfsservctl uselib vm86 vm86old sysfs ustat _sysctl"},

    // Looked at and left out: nothing of the 29 toolchains needs them, and callers fall back.
    // modify_ldt is wine's; mbind and the like fail softly in libnuma; statmount and listmount tell
    // what mountinfo tells; the file attributes are in reach of ioctl.
    {absent, absent, absent,
     "modify_ldt mbind set_mempolicy_home_node fanotify_mark name_to_handle_at statmount listmount "
     "lsm_get_self_attr lsm_set_self_attr lsm_list_modules file_getattr file_setattr "
     "get_thread_area set_thread_area epoll_ctl_old epoll_wait_old create_module get_kernel_syms "
     "query_module getpmsg putpmsg afs_syscall tuxcall security vserver"},
});

#if defined(__x86_64__)
constexpr int kUretprobe = 335;
constexpr int kUprobe = 336;
#else
constexpr int kUretprobe = -2;  // x86_64's alone
constexpr int kUprobe = -2;
#endif

// After what libseccomp 2.5.4 with Debian's additions knows; a newer library's answer is preferred.
constexpr auto kNewerNumbers = std::to_array<std::pair<std::string_view, int>>({
    {"uretprobe", kUretprobe},  {"uprobe", kUprobe},
    {"cachestat", 451},         {"fchmodat2", 452},
    {"map_shadow_stack", 453},  {"futex_wake", 454},
    {"futex_wait", 455},        {"futex_requeue", 456},
    {"statmount", 457},         {"listmount", 458},
    {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},  {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},
    {"listxattrat", 465},       {"removexattrat", 466},
    {"open_tree_attr", 467},    {"file_getattr", 468},
    {"file_setattr", 469},
});

std::vector<SyscallGrant> expand() {
  std::vector<SyscallGrant> table;
  for (const Group& group : kGroups) {
    std::string_view rest = group.names;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      table.push_back({rest.substr(0, end), group.build, group.debug, group.strict});
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return table;
}

}  // namespace

Grant SyscallGrant::in(policies::SyscallProfile profile) const {
  switch (profile) {
    case policies::SyscallProfile::build:
      return build;
    case policies::SyscallProfile::debug:
      return debug;
    case policies::SyscallProfile::strict:
      return strict;
  }
  ensure_failed("profile", "all profiles are above", __FILE__, __LINE__);
}

std::span<const SyscallGrant> syscall_table() {
  static const std::vector<SyscallGrant> table = expand();
  return table;
}

std::optional<int> newer_syscall_number(std::string_view name) {
  for (const auto& [newer, number] : kNewerNumbers)
    if (newer == name) return number;
  return std::nullopt;
}

}  // namespace fathom::sandbox
