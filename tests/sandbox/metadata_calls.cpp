// A command that changes modes, owners, times and attributes in every form that there is, and that
// tries to have one path checked and another one changed.
//   forms PATH            each form on PATH; "form: ok" or the errno's name, a line each
//   wrong PATH            arguments that no kernel takes, and descriptors of all kinds
//   memory INSIDE OUTSIDE ROUNDS   a second thread rewrites the path while chmod reads it
//   links INSIDE OUTSIDE ROUNDS    a second thread exchanges links while chmod walks them
//   time PATH ROUNDS      nanoseconds of a chmod
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

constexpr int kFchmodat2 = 452;
constexpr int kSetxattrat = 463;
constexpr mode_t kMode = 0640;
constexpr std::size_t kLongName = 300;  // more than any attribute may have

void say(const char* form, long result) {
  std::printf("%s: %s\n", form, result >= 0 ? "ok" : ::strerrorname_np(errno));
}

// The forms that name the file, the last ones by a descriptor that was opened for reading.
int forms(const char* path) {
  const timespec times[2] = {{1, 2}, {3, 4}};
  const timeval values[2] = {{5, 6}, {7, 8}};
  const utimbuf seconds{9, 10};
  const uid_t user = ::getuid();
  const gid_t group = ::getgid();
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  char own[32];
  std::snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
#ifdef SYS_chmod
  say("chmod", ::syscall(SYS_chmod, path, kMode));
  say("chown", ::syscall(SYS_chown, path, user, group));
  say("lchown", ::syscall(SYS_lchown, path, user, group));
  say("utime", ::syscall(SYS_utime, path, &seconds));
  say("utimes", ::syscall(SYS_utimes, path, values));
  say("futimesat", ::syscall(SYS_futimesat, AT_FDCWD, path, values));
#endif
  say("fchmodat", ::syscall(SYS_fchmodat, AT_FDCWD, path, kMode));
  say("fchmodat2", ::syscall(kFchmodat2, AT_FDCWD, path, kMode, 0));
  say("fchownat", ::fchownat(AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW));
  say("utimensat now", ::utimensat(AT_FDCWD, path, nullptr, 0));
  say("utimensat", ::utimensat(AT_FDCWD, path, times, 0));
  say("setxattr", ::setxattr(path, "user.probe", "x", 1, 0));
  say("removexattr", ::removexattr(path, "user.probe"));
  say("lsetxattr", ::lsetxattr(path, "user.probe", "x", 1, 0));
  say("lremovexattr", ::lremovexattr(path, "user.probe"));
  say("setxattrat", ::syscall(kSetxattrat, AT_FDCWD, path, 0, "user.probe", nullptr, 0));
  say("fchmod", ::fchmod(fd, kMode));
  say("fchown", ::fchown(fd, user, group));
  say("futimens", ::futimens(fd, times));
  say("fsetxattr", ::fsetxattr(fd, "user.probe", "x", 1, 0));
  say("fremovexattr", ::fremovexattr(fd, "user.probe"));
  say("fchmodat by its own name", ::chmod(own, kMode));
  say("fchownat empty", ::fchownat(fd, "", user, group, AT_EMPTY_PATH));
  const int at = ::open(path, O_PATH | O_CLOEXEC);
  say("fchownat path only", ::fchownat(at, "", user, group, AT_EMPTY_PATH));
  long flags = 0;
  say("ioctl", ::syscall(SYS_ioctl, fd, 0x40086602, &flags));
  return 0;
}

int wrong(const char* path) {
  const timeval late[2] = {{0, 1000000}, {0, 0}};
  const auto* nowhere = reinterpret_cast<const char*>(8);
  char long_name[kLongName];
  std::memset(long_name, 'n', sizeof long_name);
  long_name[sizeof long_name - 1] = '\0';
  say("path nowhere", ::syscall(SYS_fchmodat, AT_FDCWD, nowhere, kMode));
  say("path null", ::syscall(SYS_fchmodat, AT_FDCWD, nullptr, kMode));
  say("path empty", ::syscall(SYS_fchmodat, AT_FDCWD, "", kMode));
  say("path missing", ::chmod("missing", kMode));
  say("path below a file", ::syscall(SYS_fchmodat, AT_FDCWD, "/etc/passwd/x", kMode));
  say("folder closed", ::fchmodat(99, "file", kMode, 0));
  say("closed", ::fchmod(99, kMode));
  say("negative", ::fchmod(-1, kMode));
  const int at = ::open(path, O_PATH | O_CLOEXEC);
  say("path only", ::fchmod(at, kMode));
  say("times nowhere", ::syscall(SYS_utimensat, AT_FDCWD, path, nowhere, 0));
  say("times late", ::utimes(path, late));
  say("times of nothing", ::syscall(SYS_utimensat, AT_FDCWD, nullptr, nullptr, 0));
  say("flags", ::fchownat(AT_FDCWD, path, 0, 0, 0x40000));
  say("name long", ::setxattr(path, long_name, "x", 1, 0));
  say("name empty", ::setxattr(path, "", "x", 1, 0));
  say("value large", ::setxattr(path, "user.probe", "x", 65537, 0));
  say("value nowhere", ::setxattr(path, "user.probe", nowhere, 8, 0));
  say("attribute missing", ::removexattr(path, "user.none"));
  const int memory = ::memfd_create("probe", MFD_CLOEXEC);
  say("memory file", ::fchmod(memory, 0400));
  int ends[2];
  if (::pipe(ends) != 0) return 3;
  say("pipe", ::fchmod(ends[0], 0600));
  if (::symlink("missing", "dangling") != 0) return 3;
  say("link itself", ::lchown("dangling", ::getuid(), ::getgid()));
  say("link's mode", ::syscall(kFchmodat2, AT_FDCWD, "dangling", kMode, AT_SYMLINK_NOFOLLOW));
  say("mode of a link, by the library", ::fchmodat(AT_FDCWD, path, kMode, AT_SYMLINK_NOFOLLOW));
  return 0;
}

std::atomic<bool> done{false};
char written[PATH_MAX];
const char* inside_path;
const char* outside_path;

void* rewrite(void*) {
  while (!done.load(std::memory_order_relaxed)) {
    std::strcpy(written, outside_path);
    std::strcpy(written, inside_path);
  }
  return nullptr;
}

// "way" leads inside or outside, and is always there.
void* exchange(void*) {
  if (::symlink(outside_path, "other") != 0) std::abort();
  while (!done.load(std::memory_order_relaxed))
    ::renameat2(AT_FDCWD, "way", AT_FDCWD, "other", RENAME_EXCHANGE);
  return nullptr;
}

int race(void* (*attack)(void*), const char* path, int rounds) {
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, attack, nullptr) != 0) return 3;
  int changed = 0;
  for (int left = rounds; left > 0; --left)
    if (::chmod(path, 0777) == 0) ++changed;
  done = true;
  ::pthread_join(thread, nullptr);
  std::printf("%d\n", changed);
  return changed > 0 ? 0 : 1;
}

int measure(const char* path, int rounds) {
  timespec begin{};
  timespec end{};
  ::clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int left = rounds; left > 0; --left)
    if (::chmod(path, kMode) != 0) return 1;
  ::clock_gettime(CLOCK_MONOTONIC, &end);
  std::printf("%ld\n",
              ((end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec) / rounds);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  const char* what = arguments[1];
  if (std::strcmp(what, "forms") == 0) return forms(arguments[2]);
  if (std::strcmp(what, "wrong") == 0) return wrong(arguments[2]);
  if (std::strcmp(what, "time") == 0 && count == 4)
    return measure(arguments[2], std::atoi(arguments[3]));
  if (count != 5) return 2;
  inside_path = arguments[2];
  outside_path = arguments[3];
  std::strcpy(written, inside_path);
  if (std::strcmp(what, "memory") == 0) return race(rewrite, written, std::atoi(arguments[4]));
  if (::symlink(inside_path, "way") != 0) return 3;
  return race(exchange, "way", std::atoi(arguments[4]));
}
