// Probes of the system-call surface. A call is made with arguments that fail harmlessly where it is
// granted, so that the answer tells "refused" from "looked at".
#include "tests/sandbox/probes/probe.hpp"

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace fathom::probes {
namespace {

struct Call {
  const char* name;
  long number;
};

constexpr Call kCalls[] = {{"io_uring_setup", SYS_io_uring_setup},
                           {"io_uring_enter", SYS_io_uring_enter},
                           {"io_uring_register", SYS_io_uring_register},
                           {"bpf", SYS_bpf},
                           {"perf_event_open", SYS_perf_event_open},
                           {"userfaultfd", SYS_userfaultfd},
                           {"kexec_load", SYS_kexec_load},
                           {"kexec_file_load", SYS_kexec_file_load},
                           {"init_module", SYS_init_module},
                           {"finit_module", SYS_finit_module},
                           {"delete_module", SYS_delete_module},
                           {"semget", SYS_semget},
                           {"msgctl", SYS_msgctl},
                           {"mq_unlink", SYS_mq_unlink},
                           {"keyctl", SYS_keyctl},
                           {"add_key", SYS_add_key},
                           {"request_key", SYS_request_key},
                           {"acct", SYS_acct},
                           {"swapon", SYS_swapon},
                           {"swapoff", SYS_swapoff},
                           {"reboot", SYS_reboot},
                           {"iopl", SYS_iopl},
                           {"ioperm", SYS_ioperm},
                           {"settimeofday", SYS_settimeofday},
                           {"clock_settime", SYS_clock_settime},
                           {"adjtimex", SYS_adjtimex},
                           {"syslog", SYS_syslog},
                           {"quotactl", SYS_quotactl},
                           {"fanotify_init", SYS_fanotify_init},
                           {"lookup_dcookie", SYS_lookup_dcookie},
                           {"process_madvise", SYS_process_madvise},
                           {"process_vm_writev", SYS_process_vm_writev},
                           {"move_pages", SYS_move_pages},
                           {"migrate_pages", SYS_migrate_pages},
                           {"modify_ldt", SYS_modify_ldt},
                           {"memfd_secret", 447},
                           {"vhangup", SYS_vhangup},
                           {"kcmp", SYS_kcmp},
                           {"fsconfig", SYS_fsconfig},
                           {"fspick", SYS_fspick},
                           {"open_by_handle_at", SYS_open_by_handle_at},
                           {"unknown", 600}};

// CALL with five numbers; pointers are 0 or invalid.
int call(const Arguments& a) {
  for (const Call& known : kCalls)
    if (std::strcmp(known.name, a.text(0)) == 0)
      return answer_of(
          ::syscall(known.number, a.number(1), a.number(2), a.number(3), a.number(4), a.number(5)));
  return EPROTO;
}

// The same kernel by its other doors.
int x32(const Arguments&) { return answer_of(::syscall(0x40000000L + SYS_getpid)); }

int i386_child(const Arguments&) {
#if defined(__x86_64__)
  long result = 20;  // getpid of i386
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return result > 0 ? 0 : static_cast<int>(-result);
#else
  return ENOSYS;
#endif
}
int i386(const Arguments& a) {
  const int answer = in_child(i386_child, a);
  return answer == EPROTO ? print("killed") : answer;
}

int own_filter(const Arguments& a) {
  sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  const sock_fprog program{1, allow};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return answer_of(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, a.number(0), &program));
}

// Landlock layers of one's own, until the kernel says no; at least one must be possible.
int own_landlock(const Arguments&) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  for (int layers = 0; layers < 64; ++layers) {
    const landlock_ruleset_attr attributes{LANDLOCK_ACCESS_FS_MAKE_BLOCK};
    const long set = ::syscall(SYS_landlock_create_ruleset, &attributes, 8UL, 0);
    if (set < 0) return errno;
    if (::syscall(SYS_landlock_restrict_self, set, 0) != 0)
      return layers == 0 ? errno : print(::strerrorname_np(errno));
    ::close(static_cast<int>(set));
  }
  return 0;
}

int move_memory_map(const Arguments&) { return answer_of(::prctl(PR_SET_MM, 0, 0, 0, 0)); }
int set_personality(const Arguments& a) {
  return answer_of(::personality(static_cast<unsigned long>(a.number(0))));
}
int real_time(const Arguments& a) {
  const sched_param parameter{1};
  return answer_of(::sched_setscheduler(0, static_cast<int>(a.number(0)), &parameter));
}
int hurry(const Arguments& a) {
  return answer_of(::setpriority(PRIO_PROCESS, 0, static_cast<int>(a.number(0))));
}

constexpr Probe kProbes[] = {{"call", call},
                             {"x32", x32},
                             {"i386", i386},
                             {"own_filter", own_filter},
                             {"own_landlock", own_landlock},
                             {"move_memory_map", move_memory_map},
                             {"personality", set_personality},
                             {"real_time", real_time},
                             {"hurry", hurry}};

}  // namespace

std::span<const Probe> syscall_probes() { return kProbes; }

}  // namespace fathom::probes
