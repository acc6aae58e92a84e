// Probes of namespaces and mounts: with these a child would undo what confines it.
#include "tests/sandbox/probes/probe.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace fathom::probes {
namespace {

int unshare_flags(const Arguments& a) {
  return answer_of(::syscall(SYS_unshare, static_cast<unsigned long>(a.number(0))));
}

int reap(long pid) {
  if (pid < 0) return errno;
  if (pid == 0) ::_exit(0);
  ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return 0;
}

int clone_flags(const Arguments& a) {
  return reap(::syscall(SYS_clone, a.number(0) | SIGCHLD, 0, 0, 0, 0));
}

int clone3_flags(const Arguments& a) {
  clone_args args{};
  args.flags = static_cast<std::uint64_t>(a.number(0));
  args.exit_signal = SIGCHLD;
  return reap(::syscall(SYS_clone3, &args, sizeof args));
}

// A user namespace has to be mapped before it is worth anything.
int rule_user_namespace(const Arguments&) {
  if (::syscall(SYS_unshare, CLONE_NEWUSER) != 0) return errno;
  const int fd = ::open("/proc/self/uid_map", O_WRONLY);
  return fd < 0 ? errno : answer_of(::write(fd, "0 0 1", 5));
}

int enter(const Arguments& a) {
  char path[128];
  char parent[16];
  std::snprintf(parent, sizeof parent, "%d", ::getppid());
  const char* process = std::strcmp(a.text(0), "parent") == 0 ? parent : a.text(0);
  std::snprintf(path, sizeof path, "/proc/%s/ns/%s", process, a.text(1));
  const int fd = ::open(path, O_RDONLY);
  return fd < 0 ? errno : answer_of(::syscall(SYS_setns, fd, 0));
}

int mount_new(const Arguments& a) {
  return answer_of(::mount(a.text(0), a.text(1), a.text(0), 0, nullptr));
}
int bind(const Arguments& a) {
  return answer_of(::mount(a.text(0), a.text(1), nullptr, MS_BIND, nullptr));
}
int remount_writable(const Arguments& a) {
  return answer_of(::mount(nullptr, a.text(0), nullptr, MS_REMOUNT | MS_BIND, nullptr));
}
int share(const Arguments& a) {
  return answer_of(::mount(nullptr, a.text(0), nullptr, MS_SHARED | MS_REC, nullptr));
}
int unmount(const Arguments& a) { return answer_of(::umount2(a.text(0), MNT_DETACH)); }

int clone_tree(const Arguments& a) {
  return answer_of(::syscall(SYS_open_tree, AT_FDCWD, a.text(0), OPEN_TREE_CLONE));
}
// Descriptors of 0 and paths that do not exist: refused before they are looked at.
int move_tree(const Arguments&) { return answer_of(::syscall(SYS_move_mount, -1, "", -1, "", 0)); }
int open_file_system(const Arguments& a) { return answer_of(::syscall(SYS_fsopen, a.text(0), 0)); }
int make_writable(const Arguments& a) {
  mount_attr attributes{};
  attributes.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  return answer_of(
      ::syscall(SYS_mount_setattr, AT_FDCWD, a.text(0), 0, &attributes, sizeof attributes));
}
int pivot(const Arguments& a) { return answer_of(::syscall(SYS_pivot_root, a.text(0), a.text(0))); }
int change_root(const Arguments& a) { return answer_of(::chroot(a.text(0))); }
int set_host_name(const Arguments&) { return answer_of(::sethostname("probed", 6)); }

int write_setting(const Arguments& a) {
  const int fd = ::open(a.text(0), O_WRONLY);
  return fd < 0 ? errno : answer_of(::write(fd, a.text(1), std::strlen(a.text(1))));
}

// Opens a setting for writing and leaves it as it is.
int open_setting(const Arguments& a) { return answer_of(::open(a.text(0), O_WRONLY)); }

int is_folder(const Arguments& a) {
  struct stat info{};
  if (::stat(a.text(0), &info) != 0) return errno;
  return S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
}

constexpr Probe kProbes[] = {{"unshare", unshare_flags},
                             {"clone", clone_flags},
                             {"clone3", clone3_flags},
                             {"rule_user_namespace", rule_user_namespace},
                             {"enter", enter},
                             {"mount", mount_new},
                             {"bind", bind},
                             {"remount_writable", remount_writable},
                             {"share", share},
                             {"umount", unmount},
                             {"clone_tree", clone_tree},
                             {"move_tree", move_tree},
                             {"fsopen", open_file_system},
                             {"make_writable", make_writable},
                             {"pivot_root", pivot},
                             {"chroot", change_root},
                             {"sethostname", set_host_name},
                             {"write_setting", write_setting},
                             {"open_setting", open_setting},
                             {"is_folder", is_folder}};

}  // namespace

std::span<const Probe> namespace_probes() { return kProbes; }

}  // namespace fathom::probes
