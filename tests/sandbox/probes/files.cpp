// Probes of files: what can be written, read, linked, opened by other spellings and handles.
#include "tests/sandbox/probes/probe.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fathom::probes {
namespace {

constexpr char kText[] = "probe\n";
constexpr std::size_t kTextBytes = sizeof kText - 1;

int write_and_close(int fd) {
  if (fd < 0) return errno;
  const int answer = answer_of(::write(fd, kText, kTextBytes));
  ::close(fd);
  return answer;
}

int create(const Arguments& a) {
  return write_and_close(::open(a.text(0), O_WRONLY | O_CREAT | O_EXCL, 0644));
}
int write_file(const Arguments& a) { return write_and_close(::open(a.text(0), O_WRONLY)); }
int append(const Arguments& a) { return write_and_close(::open(a.text(0), O_WRONLY | O_APPEND)); }
int truncate_path(const Arguments& a) { return answer_of(::truncate(a.text(0), 0)); }
int open_truncate(const Arguments& a) {
  return write_and_close(::open(a.text(0), O_WRONLY | O_TRUNC));
}
int remove_file(const Arguments& a) { return answer_of(::unlink(a.text(0))); }
int remove_folder(const Arguments& a) { return answer_of(::rmdir(a.text(0))); }
int make_folder(const Arguments& a) { return answer_of(::mkdir(a.text(0), 0755)); }
int rename_path(const Arguments& a) { return answer_of(::rename(a.text(0), a.text(1))); }
int exchange(const Arguments& a) {
  return answer_of(::renameat2(AT_FDCWD, a.text(0), AT_FDCWD, a.text(1), RENAME_EXCHANGE));
}
int change_mode(const Arguments& a) {
  return answer_of(::chmod(a.text(0), static_cast<mode_t>(a.number(1))));
}
int change_owner(const Arguments& a) {
  return answer_of(::chown(a.text(0), ::geteuid(), ::getegid()));
}
int change_time(const Arguments& a) {
  const timespec times[2] = {{1, 0}, {1, 0}};
  return answer_of(::utimensat(AT_FDCWD, a.text(0), times, 0));
}
int set_attribute(const Arguments& a) {
  return answer_of(::setxattr(a.text(0), "user.probe", "x", 1, 0));
}
// All capabilities for whoever executes the file.
int set_capability(const Arguments& a) {
  const vfs_cap_data data{VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, {{~0U, 0}, {~0U, 0}}};
  return answer_of(::setxattr(a.text(0), "security.capability", &data, sizeof data, 0));
}
int hard_link(const Arguments& a) { return answer_of(::link(a.text(0), a.text(1))); }
int soft_link(const Arguments& a) { return answer_of(::symlink(a.text(0), a.text(1))); }

// A nameless file in FOLDER gets a name beside it.
int link_temporary(const Arguments& a) {
  const int fd = ::open(a.text(0), O_TMPFILE | O_WRONLY, 0644);
  if (fd < 0) return errno;
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return answer_of(::linkat(AT_FDCWD, path, AT_FDCWD, a.text(1), AT_SYMLINK_FOLLOW));
}

// A file that was opened for reading, opened again for writing through its descriptor.
int reopen(const Arguments& a) {
  const int fd = ::open(a.text(0), a.number(1) != 0 ? O_PATH : O_RDONLY);
  if (fd < 0) return errno;
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return write_and_close(::open(path, O_WRONLY));
}

// NAME below FOLDER, spelled through /dev/fd.
int write_by_descriptor(const Arguments& a) {
  const int fd = ::open(a.text(0), O_PATH | O_DIRECTORY);
  if (fd < 0) return errno;
  char path[512];
  std::snprintf(path, sizeof path, "/dev/fd/%d/%s", fd, a.text(1));
  return write_and_close(::open(path, O_WRONLY));
}

int write_from_inside(const Arguments& a) {
  if (::chdir(a.text(0)) != 0) return errno;
  char path[512];
  std::snprintf(path, sizeof path, "/proc/self/cwd/%s", a.text(1));
  return write_and_close(::open(path, O_WRONLY));
}

// Calls that change a file through a descriptor: the open is what must fail.
int change_by(const Arguments& a) {
  const int fd = ::open(a.text(1), O_RDWR);
  if (fd < 0) return errno;
  const int other = ::open("/proc/self/exe", O_RDONLY);
  if (std::strcmp(a.text(0), "fallocate") == 0) return answer_of(::fallocate(fd, 0, 0, 4096));
  if (std::strcmp(a.text(0), "ftruncate") == 0) return answer_of(::ftruncate(fd, 1));
  if (std::strcmp(a.text(0), "copy") == 0)
    return answer_of(::copy_file_range(other, nullptr, fd, nullptr, 16, 0));
  if (std::strcmp(a.text(0), "clone") == 0) return answer_of(::ioctl(fd, FICLONE, other));
  if (std::strcmp(a.text(0), "splice") == 0) {
    int ends[2];
    if (::pipe(ends) != 0 || ::write(ends[1], kText, kTextBytes) < 0) return errno;
    return answer_of(::splice(ends[0], nullptr, fd, nullptr, kTextBytes, 0));
  }
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return errno;
  *static_cast<char*>(page) = 'x';
  return answer_of(::msync(page, 4096, MS_SYNC));
}

int read_file(const Arguments& a) {
  const int fd = ::open(a.text(0), O_RDONLY);
  if (fd < 0) return errno;
  char byte = 0;
  const long size = ::read(fd, &byte, 1);
  return size == 0 ? ENODATA : answer_of(size);
}

// The first line of a file.
int show(const Arguments& a) {
  const int fd = ::open(a.text(0), O_RDONLY);
  char line[256] = {};
  if (fd < 0 || ::read(fd, line, sizeof line - 1) < 0) return errno;
  line[std::strcspn(line, "\n")] = '\0';
  return print(line);
}

// How many names a folder holds.
int count_names(const Arguments& a) {
  DIR* folder = ::opendir(a.text(0));
  if (folder == nullptr) return errno;
  long count = 0;
  while (const dirent* entry = ::readdir(folder))
    if (entry->d_name[0] != '.' || entry->d_name[1 + (entry->d_name[1] == '.')] != '\0') ++count;
  return print(count);
}

int open_device(const Arguments& a) {
  return answer_of(::open(a.text(0), a.number(1) != 0 ? O_RDWR : O_RDONLY));
}

int make_node(const Arguments& a) {
  const char kind = a.text(1)[0];
  const mode_t type = kind == 'c' ? S_IFCHR : kind == 'b' ? S_IFBLK : S_IFIFO;
  return answer_of(::mknod(a.text(0), type | 0600, ::makedev(1, 5)));
}

int open_by_handle(const Arguments& a) {
  alignas(file_handle) char buffer[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = reinterpret_cast<file_handle*>(buffer);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(AT_FDCWD, a.text(0), handle, &mount, 0) != 0) return errno;
  const int folder = ::open(a.text(1), O_RDONLY);
  return answer_of(::open_by_handle_at(folder, handle, O_RDONLY));
}

// Files that would run as their owner, in each way that a mode can be given.
int leave_setid(const Arguments& a) {
  const char* path = a.text(1);
  const auto mode = static_cast<mode_t>(a.number(2));
  if (std::strcmp(a.text(0), "open") == 0) return answer_of(::open(path, O_WRONLY | O_CREAT, mode));
  if (std::strcmp(a.text(0), "mkdir") == 0) return answer_of(::mkdir(path, mode));
  if (std::strcmp(a.text(0), "mknod") == 0) return answer_of(::mknod(path, S_IFREG | mode, 0));
  const int fd = ::open(path, O_WRONLY | O_CREAT, 0755);
  if (fd < 0) return errno;
  return answer_of(std::strcmp(a.text(0), "fchmod") == 0 ? ::fchmod(fd, mode)
                                                         : ::chmod(path, mode));
}

// Any descriptor but the three.
int inherited(const Arguments&) {
  for (int fd = 3; fd < 1024; ++fd)
    if (::fcntl(fd, F_GETFD) >= 0) return print("some");
  return print("none");
}

// Whether the environment has one of the names.
int environment(const Arguments& a) {
  for (int i = 0; i < a.count(); ++i)
    if (std::getenv(a.text(i)) != nullptr) return print(a.text(i));
  return print("none");
}

constexpr Probe kProbes[] = {{"create", create},
                             {"write", write_file},
                             {"append", append},
                             {"truncate", truncate_path},
                             {"open_truncate", open_truncate},
                             {"unlink", remove_file},
                             {"rmdir", remove_folder},
                             {"mkdir", make_folder},
                             {"rename", rename_path},
                             {"exchange", exchange},
                             {"chmod", change_mode},
                             {"chown", change_owner},
                             {"utime", change_time},
                             {"setxattr", set_attribute},
                             {"set_capability", set_capability},
                             {"link", hard_link},
                             {"symlink", soft_link},
                             {"link_temporary", link_temporary},
                             {"reopen", reopen},
                             {"write_by_descriptor", write_by_descriptor},
                             {"write_from_inside", write_from_inside},
                             {"change_by", change_by},
                             {"read", read_file},
                             {"show", show},
                             {"count_names", count_names},
                             {"open_device", open_device},
                             {"mknod", make_node},
                             {"open_by_handle", open_by_handle},
                             {"leave_setid", leave_setid},
                             {"inherited", inherited},
                             {"environment", environment}};

}  // namespace

std::span<const Probe> file_probes() { return kProbes; }

}  // namespace fathom::probes
