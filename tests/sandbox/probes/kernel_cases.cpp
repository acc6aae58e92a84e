// Sections D, E and F of the table: processes, namespaces, system calls.
#include "tests/sandbox/probes/probe_cases.hpp"

namespace fathom::test {
namespace {

constexpr std::string_view kNone = "0000000000000000";
constexpr std::string_view kProcWrites =
    "gap: Landlock has no rule that reaches a command's own /proc => EACCES|ok";
constexpr std::string_view kWholeMachine = "?without a pid namespace it would aim at every process";

constexpr ProbeCase kProcessCases[] = {
    // Processes outside.
    {"D1", "signal {victim} 0", "ok", "ESRCH", "EPERM"},
    {"D1", "signal parent 0", "ok", "EPERM", "EPERM"},
    {"D1", "pidfd_open {victim}", "ok", "ESRCH|EINVAL", "~processes ok"},
    {"D1", "alone kill_all", "ok", "ok", kWholeMachine},
    {"D1", "limit_other {victim}", "ok", "ESRCH", "EPERM"},
    {"D1", "hinder {victim}", "ok", "ESRCH",
     "gap: the user's other processes can be slowed down => ok|EPERM"},
    {"D2", "ptrace {victim}", "ok", "ESRCH", "EPERM"},
    {"D2", "ptrace {init}", "ok", "EPERM", "EPERM"},
    {"D2", "ptrace parent", "ok", "EPERM", "EPERM"},
    {"D2", "read_memory {init}", "EFAULT", "EPERM", "EPERM"},
    {"D2", "read_memory parent", "EFAULT", "EPERM", "EPERM"},
    {"D2", "write_memory_file {init}", "ok", "EACCES", "EACCES"},
    {"D2", "link_of_process {init} exe", "ok", "EACCES", "EACCES"},
    {"D2", "link_of_process {init} root", "ok", "EACCES", "EACCES"},
    {"D2", "link_of_process {init} ns/mnt", "ok", "EACCES", "EACCES"},
    {"D2", "steal_descriptor {init}", "ok", "EPERM", "EPERM"},
    {"D2", "steal_descriptor parent", "ok", "EPERM", "EPERM"},
    {"D3", "trace_child", "ok", "ok", "ok"},
    {"D3", "exec_from_memory", "0", "1", "1"},
    {"D4", "alone attack_init", "ok", "ok", kWholeMachine},
    // Terminals: TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD, and TIOCSTI with a bit the kernel ignores.
    {"D9", "on_terminal 0x5412", "ok|EIO", "EPERM", "EPERM|EACCES"},
    {"D9", "on_terminal 0x541C", "*", "EPERM", "EPERM|EACCES"},
    {"D9", "on_terminal 0x541D", "*", "EPERM", "EPERM|EACCES"},
    {"D9", "on_terminal 0x5423", "*", "EPERM", "EPERM|EACCES"},
    {"D9", "on_terminal 0x100005412", "ok|EIO", "EPERM", "EPERM|EACCES"},
    {"D9", "own_terminal", "*", "ENXIO", "ENXIO|EACCES"},

    // Namespaces, one by one and together, by each call that makes them.
    {"E1", "alone unshare 0x10000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone unshare 0x00020000", "ok", "EPERM", "EPERM"},
    {"E1", "alone unshare 0x20000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone unshare 0x40000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone unshare 0x08000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone unshare 0x04000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone unshare 0x02000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone unshare 0x00000080", "ok", "EPERM", "EPERM"},
    {"E1", "alone unshare 0x7E020080", "ok", "EPERM", "EPERM"},
    {"E1", "alone unshare 0x400", "ok", "ok", "ok"},
    {"E1", "alone clone 0x10000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone clone 0x00020000", "ok", "EPERM", "EPERM"},
    {"E1", "alone clone 0x20000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone clone 0x40000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone clone 0x08000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone clone 0x04000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone clone 0x02000000", "ok", "EPERM", "EPERM"},
    {"E1", "alone clone 0x7E020000", "ok", "EPERM", "EPERM"},
    {"E1", "alone clone3 0x10000000", "ok", "ENOSYS", "ENOSYS"},
    {"E1", "alone clone3 0x80", "ok", "ENOSYS", "ENOSYS"},
    {"E1", "alone clone3 0", "ok", "ENOSYS", "ENOSYS"},
    {"E1", "enter {init} net", "ok|EPERM", "EACCES|EPERM", "EACCES|EPERM"},
    {"E1", "enter self net", "ok|EPERM|ENOENT", "EPERM|ENOENT", "EPERM|ENOENT"},
    {"E1", "enter parent mnt", "*", "EACCES|EPERM|ENOENT", "EACCES|EPERM|ENOENT"},

    // Mounts.
    {"E2", "alone mount tmpfs /mnt", "ok", "EPERM", "EPERM"},
    {"E2", "alone remount_writable /proc", "ok", "EPERM", "EPERM"},
    {"E2", "alone share /", "ok", "EPERM", "EPERM"},
    {"E2", "alone umount /proc", "ok", "EPERM", "EPERM"},
    {"E2", "alone clone_tree /proc", "ok", "EPERM", "EPERM"},
    {"E2", "alone move_tree", "EBADF|ENOENT", "EPERM", "EPERM"},
    {"E2", "alone fsopen tmpfs", "ok", "EPERM", "EPERM"},
    {"E2", "alone call fsconfig -1 0 0 0 0", "EINVAL|EBADF", "EPERM", "EPERM"},
    {"E2", "alone call fspick -100 0 0", "EFAULT|EINVAL", "EPERM", "EPERM"},
    {"E2", "alone make_writable /proc", "ok", "EPERM", "EPERM"},
    {"E2", "alone pivot_root /", "EINVAL|EBUSY", "EPERM", "EPERM"},
    {"E2", "alone chroot /tmp", "ok", "EPERM", "EPERM"},

    // Capabilities.
    {"E3", "alone status CapEff", "*", kNone, kNone},
    {"E3", "alone status CapPrm", "*", kNone, kNone},
    {"E3", "status CapInh", "*", kNone, kNone},
    {"E3", "status CapAmb", "*", kNone, kNone},
    {"E3", "status CapBnd", "*", kNone,
     "root=0000000000000000 user=gap: a user cannot empty the bounding set, no_new_privs keeps "
     "exec from using it => 000001ffffffffff|000001fffeffffff"},
    {"E3", "alone secure_bits", "ok", "EPERM", "EPERM"},
    {"E4", "identity_after_exec {setuid}", "gained", "same", "same"},

    // Settings of the machine. They are opened for writing, never written, unconfined too.
    {"E5", "open_setting /proc/sys/kernel/core_pattern", "ok|EACCES", "EACCES|EROFS", "EACCES"},
    {"E5", "open_setting /proc/sys/kernel/modprobe", "*", "EACCES|EROFS|ENOENT", "EACCES|ENOENT"},
    {"E5", "open_setting /proc/sys/vm/drop_caches", "ok|EACCES", "EACCES|EROFS", "EACCES"},
    {"E5", "open_setting /proc/sys/net/ipv4/ip_forward", "ok|EACCES", "EACCES|EROFS", "EACCES"},
    {"E5", "open_setting /proc/sys/user/max_user_namespaces", "*", "EACCES|EROFS", "EACCES"},
    {"E5", "open_setting /proc/sysrq-trigger", "*", "EACCES|EROFS|ENOENT", "EACCES|ENOENT"},
    {"E5", "open_setting /proc/irq/default_smp_affinity", "ok|EACCES", "EACCES|EROFS|EPERM",
     "EACCES|ENOENT"},
    {"E5", "open_setting /proc/1/oom_score_adj", "*", "EACCES|EROFS", "EACCES"},
    {"E5", "open_setting /sys/kernel/mm/transparent_hugepage/enabled", "*", "EACCES|EROFS|ENOENT",
     "EACCES|ENOENT"},
    {"E5", "open_setting /sys/fs/cgroup/cgroup.procs", "*", "EACCES|EROFS|ENOENT", "EACCES|ENOENT"},
    {"E5", "open_setting /sys/fs/cgroup/pids/tasks", "*", "EACCES|EROFS|ENOENT", "EACCES|ENOENT"},
    {"E5", "mkdir {cgroup}/fathom-probe", "ok", "EACCES|EROFS|ENOENT|EPERM", "EACCES|ENOENT|EPERM"},
    {"E5", "raise_own_kill_score 500", "ok", kProcWrites, kProcWrites},
    {"E5", "raise_own_kill_score -1000", "*", "EACCES", "EACCES"},

    {"E6", "open_by_handle {outside}/file {outside}", "ok|EPERM|EOPNOTSUPP", "ENOSYS|EPERM",
     "ENOSYS|EPERM"},
    {"E6", "call open_by_handle_at -1 0 0", "EBADF|EFAULT|EPERM", "EPERM", "EPERM"},
    {"E6", "call fanotify_init 0 0", "*", "EPERM", "EPERM"},
    {"E6", "call quotactl 0 0 0 0", "*", "EPERM", "EPERM"},
    {"E6", "call lookup_dcookie 0 0 0", "*", "EPERM", "EPERM"},

    // Further fences of the command's own only take away. A second listener is refused by the
    // kernel where the sandbox has one in place.
    {"E7", "own_landlock", "E2BIG", "E2BIG", "E2BIG"},
    {"E7", "own_filter 0", "ok", "ok", "ok"},
    {"E7", "alone own_filter 8", "ok|EBUSY", "ok|EBUSY", "ok|EBUSY"},
    {"E8", "alone mount proc /proc", "ok", "EPERM", "EPERM"},
    {"E9", "alone sethostname", "ok", "EPERM", "EPERM"},
};

constexpr ProbeCase kSyscallCases[] = {
    {"F2", "call io_uring_setup 0 0", "EFAULT|EINVAL|EPERM", "EPERM", "EPERM"},
    {"F2", "call io_uring_enter -1 0 0 0 0", "EBADF|EPERM", "EPERM", "EPERM"},
    {"F2", "call io_uring_register -1 0 0 0", "EBADF|EINVAL|EPERM", "EPERM", "EPERM"},
    {"F3", "call bpf -1 0 0", "EINVAL", "EPERM", "EPERM"},
    {"F3", "call perf_event_open 0 0 -1 -1 0", "EFAULT", "EPERM", "EPERM"},
    {"F3", "call userfaultfd -1", "EINVAL|EPERM", "EPERM", "EPERM"},
    {"F3", "alone call kexec_load 0 0 0 -1", "*", "EPERM", "EPERM"},
    {"F3", "alone call kexec_file_load -1 -1 0 0 -1", "*", "EPERM", "EPERM"},
    {"F3", "alone call init_module 0 0 0", "*", "EPERM", "EPERM"},
    {"F3", "alone call finit_module -1 0 -1", "*", "EPERM", "EPERM"},
    {"F3", "alone call delete_module 0 0", "*", "EPERM", "EPERM"},
    {"F3", "alone call acct 1", "*", "EPERM", "EPERM"},
    {"F3", "alone call swapon 0 0", "*", "EPERM", "EPERM"},
    {"F3", "alone call reboot 0 0 0 0", "EINVAL|EPERM", "EPERM", "EPERM"},
    {"F3", "call iopl 4", "EINVAL|ENOSYS", "EPERM", "EPERM"},
    {"F3", "call ioperm 0 0 0", "EINVAL|ENOSYS", "EPERM", "EPERM"},
    {"F3", "alone call settimeofday 1 0", "EFAULT|EPERM", "EPERM", "EPERM"},
    {"F3", "alone call clock_settime 99 0", "EINVAL", "EPERM", "EPERM"},
    {"F3", "call adjtimex 0", "EFAULT", "EPERM", "EPERM"},
    {"F3", "call process_madvise -1 0 0 0 0", "EBADF|EINVAL", "EPERM", "EPERM"},
    {"F3", "call process_vm_writev 0 0 0 0 0", "*", "ENOSYS", "ENOSYS"},
    {"F3", "call move_pages 0 0 0 0 0", "*", "EPERM", "EPERM"},
    {"F3", "call migrate_pages 0 0 0 0", "*", "EPERM", "EPERM"},
    {"F3", "call memfd_secret -1", "EINVAL|ENOSYS", "EPERM", "EPERM"},
    {"F3", "call modify_ldt 0 0 0", "ok|ENOSYS", "ENOSYS", "ENOSYS"},
    {"F3", "call kcmp -1 -1 0 0 0", "ESRCH", "EPERM", "EPERM"},
    {"F3", "move_memory_map", "*", "EPERM", "EPERM"},
    {"F3", "personality 0x0400000", "ok", "EPERM", "EPERM"},
    {"F3", "personality 0x0000006", "ok|EINVAL", "EPERM", "EPERM"},
    {"F3", "personality 0x0040000", "ok", "ok", "ok"},
    {"F3", "x32", "*", "ENOSYS", "ENOSYS"},
    {"F3", "i386", "ok|killed", "killed", "killed"},
    {"F3", "call unknown", "*", "ENOSYS", "ENOSYS"},

    // Socket families, types and protocols: unix, TCP, UDP and the routes of the namespace only.
    {"F4", "socket 1 1 0", "ok", "ok", "ok"},
    {"F4", "socket 2 1 0", "ok", "ok", "ok"},
    {"F4", "socket 10 1 6", "ok", "ok", "ok"},
    {"F4", "socket 2 2 0", "ok", "ok", "EPERM"},
    {"F4", "socket 2 1 262", "*", "EPERM", "EPERM"},
    {"F4", "socket 2 1 132", "*", "EPERM", "EPERM"},
    {"F4", "socket 2 2 136", "*", "EPERM", "EPERM"},
    {"F4", "socket 2 2 1", "*", "EPERM", "EPERM"},
    {"F4", "alone socket 2 3 1", "ok", "EPERM", "EPERM"},
    {"F4", "alone socket 10 3 58", "ok", "EPERM", "EPERM"},
    {"F4", "alone socket 17 3 0", "ok", "EPERM", "EPERM"},
    {"F4", "alone socket 17 2 0", "ok", "EPERM", "EPERM"},
    {"F4", "socket 16 3 0", "ok", "ok", "ok"},
    {"F4", "socket 16 3 9", "*", "EPERM", "EPERM"},
    {"F4", "socket 16 3 12", "*", "EPERM", "EPERM"},
    {"F4", "socket 16 2 15", "ok", "EPERM", "EPERM"},
    {"F4", "socket 16 3 16", "ok", "EPERM", "EPERM"},
    {"F4", "socket 38 5 0", "*", "EPERM", "EPERM"},
    {"F4", "socket 44 3 0", "*", "EPERM", "EPERM"},
    {"F4", "socket 29 3 1", "*", "EPERM", "EPERM"},
    {"F4", "socket 31 3 1", "*", "EPERM", "EPERM"},
    {"F4", "socket 30 5 0", "*", "EPERM", "EPERM"},
    {"F4", "socket 43 1 0", "*", "EPERM", "EPERM"},
    {"F4", "socket 21 5 0", "*", "EPERM", "EPERM"},
    {"F4", "socket 41 5 0", "*", "EPERM", "EPERM"},
    {"F4", "socketpair 1", "ok", "ok", "ok"},
    {"F4", "socketpair 5", "ok", "ok", "ok"},
    {"F5", "own_filter 0", "ok", "ok", "ok"},
    {"F6", "status NoNewPrivs", "0", "1", "1"},
    {"F6", "status Seccomp", "0", "2", "2"},
    {"F6", "status Seccomp_filters", "0", "1", "1"},
};

}  // namespace

std::span<const ProbeCase> process_cases() { return kProcessCases; }
std::span<const ProbeCase> syscall_cases() { return kSyscallCases; }

}  // namespace fathom::test
