// What waits for the supervisor, and what must not.
#include "tests/sandbox/filter_fixture.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <sys/socket.h>

using namespace fathom;
using policies::SyscallProfile;
using sandbox::FilterOptions;
using sandbox::NotifySet;
using test::Arguments;
using test::Filter;
using test::number_of;
using test::Words;

namespace {

constexpr std::uint64_t kGarbage = 0xDEADBEEF00000000;

FilterOptions with(NotifySet notify) {
  FilterOptions options = test::generous(SyscallProfile::build);
  options.notify = notify;
  return options;
}

std::string_view answer(const Filter& filter, std::string_view call, Arguments arguments = {}) {
  return filter.answer(number_of(call), arguments);
}

int notified(const Filter& filter, const Arguments& arguments) {
  int count = 0;
  for (int number = 0; number <= 600; ++number)
    count += filter.answer(number, arguments) == "notify" ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("without a notify set no call waits", "[sandbox-filter]") {
  const Filter filter(with({}));
  for (std::uint64_t word : Words{0ULL, ~0ULL, 0x242ULL})
    CHECK(notified(filter, {word, word, word, word, word, word}) == 0);
}

TEST_CASE("opens that may write wait, opens for reading do not", "[sandbox-filter]") {
  const Filter filter(with({.write_opens = true}));
  for (std::uint64_t flags :
       Words{O_WRONLY, O_RDWR, O_ACCMODE, O_CREAT, O_TRUNC, O_RDONLY | O_CREAT | O_CLOEXEC,
             O_TMPFILE | O_RDWR, O_WRONLY | O_APPEND, O_WRONLY | O_CREAT | O_NOFOLLOW}) {
    CHECK(answer(filter, "open", {0, flags}) == "notify");
    CHECK(answer(filter, "openat", {0, 0, flags | kGarbage}) == "notify");
  }
  // New files, which are made by the thousand.
  CHECK(answer(filter, "openat", {0, 0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC}) == "allow");
  for (std::uint64_t flags :
       Words{O_RDONLY, O_RDONLY | O_CLOEXEC | O_DIRECTORY, O_PATH | O_NOFOLLOW}) {
    CHECK(answer(filter, "open", {0, flags | kGarbage, 0777}) == "allow");
    CHECK(answer(filter, "openat", {O_RDWR, O_RDWR, flags, O_RDWR}) == "allow");
  }
  CHECK(answer(filter, "creat") == "notify");
  CHECK(answer(filter, "openat2") == "enosys");
  CHECK(answer(filter, "connect") == "allow");
  CHECK(answer(filter, "mount") == "eperm");
}

TEST_CASE("a refused mode is refused before anybody is asked", "[sandbox-filter]") {
  FilterOptions options = with({.write_opens = true});
  options.refuse_setuid_bits = true;
  const Filter filter(options);
  CHECK(answer(filter, "open", {0, O_CREAT | O_WRONLY, 04755}) == "eperm");
  CHECK(answer(filter, "open", {0, O_CREAT | O_WRONLY, 0755}) == "notify");
  CHECK(answer(filter, "creat", {0, 04755}) == "eperm");
  CHECK(answer(filter, "creat", {0, 0755}) == "notify");
}

TEST_CASE("with connect brokered every way to choose a peer waits or is shut", "[sandbox-filter]") {
  FilterOptions options = with({.connect = true});
  options.inet_datagram = false;
  const Filter streams(options);
  CHECK(answer(streams, "connect") == "notify");
  CHECK(answer(streams, "sendto", {3, 0, 0, 0, 0, 0}) == "allow");
  CHECK(answer(streams, "sendto", {3, 0, 0, 0, 1, 16}) == "notify");
  CHECK(answer(streams, "sendto", {3, 0, 0, 0, 1ULL << 32, 16}) == "notify");
  CHECK(answer(streams, "sendmsg", {3, 1, MSG_NOSIGNAL}) == "allow");
  CHECK(answer(streams, "sendmsg", {3, 1, MSG_FASTOPEN | kGarbage}) == "eperm");
  CHECK(answer(streams, "sendmmsg", {3, 1, MSG_FASTOPEN, MSG_NOSIGNAL}) == "allow");
  CHECK(answer(streams, "sendmmsg", {3, 1, 1, MSG_FASTOPEN}) == "eperm");
  CHECK(answer(streams, "socket", {AF_UNIX, SOCK_DGRAM}) == "eperm");
  CHECK(answer(streams, "socketpair", {AF_UNIX, SOCK_DGRAM}) == "eperm");
  CHECK(answer(streams, "socket", {AF_UNIX, SOCK_STREAM}) == "allow");
  CHECK(answer(streams, "bind") == "notify");
  CHECK(answer(streams, "socket", {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}) == "notify");
  CHECK(answer(streams, "socket", {AF_INET6, SOCK_STREAM, IPPROTO_TCP}) == "notify");
  CHECK(answer(streams, "socket", {AF_INET, SOCK_DGRAM}) == "eperm");
  CHECK(answer(streams, "listen") == "allow");

  options.inet_datagram = true;
  const Filter datagrams(options);
  CHECK(answer(datagrams, "sendmsg", {3, 1, 0}) == "notify");
  CHECK(answer(datagrams, "sendmmsg", {3, 1, 1, 0}) == "notify");
  CHECK(answer(datagrams, "sendmmsg", {3, 1, 1, MSG_FASTOPEN}) == "eperm");
  CHECK(answer(datagrams, "socket", {AF_UNIX, SOCK_DGRAM}) == "allow");
  CHECK(answer(datagrams, "sendto", {3, 0, 0, 0, 0, 0}) == "allow");
}

TEST_CASE("brokering connect gives strict no socket back", "[sandbox-filter]") {
  FilterOptions options = with({.connect = true});
  options.profile = SyscallProfile::strict;
  const Filter filter(options);
  CHECK(answer(filter, "connect") == "eperm");
  CHECK(answer(filter, "socket", {AF_INET, SOCK_STREAM}) == "eperm");
}

TEST_CASE("calls that are always refused wait to be recorded, others do not", "[sandbox-filter]") {
  const Filter filter(with({.refused = true}));
  for (std::string_view call : {"mount", "bpf", "io_uring_setup", "setns", "chroot", "userfaultfd",
                                "perf_event_open", "kcmp", "open_tree_attr"})
    CHECK(answer(filter, call) == "notify");
  CHECK(answer(filter, "clone3") == "enosys");
  CHECK(answer(filter, "adjtimex") == "eperm");
  CHECK(answer(filter, "unshare", {0x10000000}) == "eperm");
  CHECK(answer(filter, "ioctl", {0, 0x5412}) == "eperm");
  CHECK(answer(filter, "openat", {0, 0, O_RDWR}) == "allow");
}

TEST_CASE("metadata calls wait whole, and what they could be got around by is shut",
          "[sandbox-filter]") {
  FilterOptions options = with({.metadata = true});
  const Filter filter(options);
  for (std::string_view call :
       {"fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "utimensat", "setxattr",
        "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"})
    CHECK(answer(filter, call) == "notify");
  CHECK(answer(filter, "setxattrat") == "enosys");
  CHECK(answer(filter, "removexattrat") == "enosys");
  CHECK(answer(filter, "file_setattr") == "enosys");
  for (std::uint64_t command : Words{0x40086602, 0x40046602, 0x401C5820, 0x40806685})
    CHECK(answer(filter, "ioctl", {0, command | kGarbage}) == "eperm");
  CHECK(answer(filter, "ioctl", {0, 0x80086601}) == "allow");  // FS_IOC_GETFLAGS
  // BTRFS_IOC_SNAP_CREATE, SUBVOL_CREATE, SNAP_DESTROY, SNAP_CREATE_V2, SUBVOL_CREATE_V2,
  // SUBVOL_SETFLAGS, SNAP_DESTROY_V2
  for (std::uint64_t command :
       Words{0x50009401, 0x5000940E, 0x5000940F, 0x50009417, 0x50009418, 0x4008941A, 0x5000943F}) {
    CHECK(answer(filter, "ioctl", {0, command | kGarbage}) == "eperm");
    CHECK(answer(Filter(with({})), "ioctl", {0, command}) == "allow");
  }
  for (std::uint64_t command : Words{FICLONE, FICLONERANGE, FIDEDUPERANGE})
    CHECK(answer(filter, "ioctl", {0, command | kGarbage}) == "allow");
  CHECK(answer(filter, "getxattr") == "allow");
  options.refuse_setuid_bits = true;
  CHECK(answer(Filter(options), "fchmod", {0, 04755}) == "eperm");
  CHECK(answer(Filter(options), "fchmod", {0, 0755}) == "notify");
  options.profile = SyscallProfile::strict;
  CHECK(answer(Filter(options), "fchown") == "eperm");
}

TEST_CASE("the opens of shared memory and semaphores wait, those of other new files do not",
          "[sandbox-filter]") {
  const Filter filter(with({.write_opens = true, .shared_memory = true}));
  CHECK(answer(filter, "openat", {0, 0, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600}) == "notify");
  CHECK(answer(filter, "openat", {0, 0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC}) == "notify");
  CHECK(answer(filter, "openat", {0, 0, O_RDWR | O_CREAT | O_EXCL, 0600}) == "notify");
  // git's objects, tar's and cp's files; walks that follow no links.
  CHECK(answer(filter, "openat", {0, 0, O_RDWR | O_CREAT | O_EXCL, 0444}) == "allow");
  CHECK(answer(filter, "openat", {0, 0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600}) == "allow");
  CHECK(answer(filter, "openat", {0, 0, O_RDONLY | O_NOFOLLOW | O_DIRECTORY}) == "allow");
  CHECK(answer(filter, "openat", {0, 0, O_RDONLY | O_CLOEXEC}) == "allow");
#ifdef __x86_64__
  CHECK(answer(filter, "link") == "notify");
  CHECK(answer(filter, "unlink") == "notify");
  CHECK(answer(filter, "unlinkat", {static_cast<std::uint32_t>(AT_FDCWD)}) == "allow");
#endif
  CHECK(answer(filter, "unlinkat", {3}) == "allow");
}
