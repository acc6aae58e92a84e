#include "sandbox/seccomp_rules.hpp"

#include "tests/sandbox/filter_fixture.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <csignal>
#include <map>

using namespace fathom;
using policies::SyscallProfile;
using sandbox::FilterOptions;
using test::Arguments;
using test::Filter;
using test::number_of;
using test::Words;

namespace {

constexpr std::uint64_t kGarbage = 0xDEADBEEF00000000;
constexpr std::uint64_t kTcp = 6;
constexpr std::uint64_t kUdp = 17;

// What `filter` answers to each call, by name, with its arguments.
std::string_view answer(const Filter& filter, std::string_view call, Arguments arguments) {
  return filter.answer(number_of(call), arguments);
}

std::string_view build_answer(std::string_view call, Arguments arguments) {
  static const Filter filter(test::generous(SyscallProfile::build));
  return answer(filter, call, arguments);
}

FilterOptions nothing_granted() { return {}; }

}  // namespace

TEST_CASE("a terminal cannot be fed, whatever stands above the command's 32 bits",
          "[sandbox-filter]") {
  for (std::uint64_t command : Words{TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD}) {
    for (std::uint64_t above : Words{0ULL, 1ULL << 32, 1ULL << 63, 0xFFFFFFFF00000000ULL})
      CHECK(build_answer("ioctl", {0, command | above}) == "eperm");
    for (std::uint64_t near : Words{command - 1, command + 1, command | 0x10000})
      if (near != TIOCCONS && near != TIOCLINUX)
        CHECK(build_answer("ioctl", {0, near | kGarbage}) == "allow");
    // The command is the second argument, and only that.
    CHECK(build_answer("ioctl", {command, TIOCGWINSZ, command, command}) == "allow");
  }
}

TEST_CASE("no combination of namespaces passes clone or unshare", "[sandbox-filter]") {
  constexpr std::uint64_t kBits[] = {CLONE_NEWTIME, CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS,
                                     CLONE_NEWIPC,  CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
  const std::uint64_t others[] = {0, SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD,
                                  CLONE_FILES | CLONE_FS | CLONE_SYSVSEM, kGarbage};
  for (auto profile : {SyscallProfile::build, SyscallProfile::debug, SyscallProfile::strict}) {
    const Filter filter(test::generous(profile));
    for (unsigned subset = 1; subset < 1U << std::size(kBits); ++subset) {
      std::uint64_t flags = 0;
      for (std::size_t bit = 0; bit < std::size(kBits); ++bit)
        if ((subset >> bit & 1) != 0) flags |= kBits[bit] & 0xFFFFFFFF;
      for (std::uint64_t more : others) {
        REQUIRE(answer(filter, "clone", {flags | more}) == "eperm");
        REQUIRE(answer(filter, "unshare", {flags | more}) == "eperm");
      }
    }
  }
}

TEST_CASE("threads, processes and harmless unsharing work", "[sandbox-filter]") {
  CHECK(build_answer("clone", {SIGCHLD}) == "allow");
  CHECK(build_answer("clone", {CLONE_VM | CLONE_VFORK | SIGCHLD | kGarbage}) == "allow");
  CHECK(build_answer("clone", {0x3D0F00}) == "allow");  // pthread_create of glibc
  CHECK(build_answer("clone3", {}) == "enosys");
  CHECK(build_answer("unshare", {0}) == "allow");
  CHECK(build_answer("unshare", {CLONE_FILES | CLONE_FS | CLONE_SYSVSEM}) == "allow");
  // unshare's flags are an unsigned long: all 64 bits count.
  CHECK(build_answer("unshare", {CLONE_FILES | 1ULL << 32}) == "eperm");
  CHECK(build_answer("unshare", {CLONE_THREAD}) == "eperm");
}

TEST_CASE("nested user namespaces are for browsers only and never for strict", "[sandbox-filter]") {
  FilterOptions options = test::generous(SyscallProfile::build);
  options.allow_nested_userns = true;
  const Filter build(options);
  options.profile = SyscallProfile::strict;
  const Filter strict(options);
  const std::uint64_t browser = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  CHECK(answer(build, "clone", {browser | SIGCHLD}) == "allow");
  CHECK(answer(build, "unshare", {browser}) == "allow");
  CHECK(answer(build, "chroot", {}) == "allow");
  CHECK(answer(build, "clone", {browser | CLONE_NEWNS}) == "eperm");
  CHECK(answer(build, "unshare", {CLONE_NEWNS}) == "eperm");
  CHECK(answer(build, "unshare", {browser | 1ULL << 40}) == "eperm");
  CHECK(answer(build, "mount", {}) == "eperm");
  CHECK(answer(build, "setns", {}) == "eperm");
  CHECK(answer(strict, "clone", {CLONE_NEWUSER}) == "eperm");
  CHECK(answer(strict, "unshare", {CLONE_NEWUSER}) == "eperm");
  CHECK(answer(strict, "chroot", {}) == "eperm");
}

TEST_CASE("each option grants its own family of sockets and no other", "[sandbox-filter]") {
  using Socket = std::array<std::uint64_t, 3>;
  const std::map<Socket, std::string_view> granted_by = {
      {{AF_UNIX, SOCK_STREAM, 0}, "unix"},     {{AF_UNIX, SOCK_DGRAM, 0}, "unix"},
      {{AF_UNIX, SOCK_SEQPACKET, 0}, "unix"},  {{AF_UNIX, SOCK_STREAM, 1}, "unix"},
      {{AF_INET, SOCK_STREAM, 0}, "stream"},   {{AF_INET, SOCK_STREAM, kTcp}, "stream"},
      {{AF_INET6, SOCK_STREAM, 0}, "stream"},  {{AF_INET6, SOCK_STREAM, kTcp}, "stream"},
      {{AF_INET, SOCK_DGRAM, 0}, "datagram"},  {{AF_INET, SOCK_DGRAM, kUdp}, "datagram"},
      {{AF_INET6, SOCK_DGRAM, 0}, "datagram"}, {{AF_INET6, SOCK_DGRAM, kUdp}, "datagram"},
      {{AF_NETLINK, SOCK_RAW, 0}, "netlink"},  {{AF_NETLINK, SOCK_DGRAM, 0}, "netlink"}};
  std::map<std::string_view, FilterOptions> options;
  options["unix"].unix_sockets = true;
  options["stream"].inet_stream = true;
  options["datagram"].inet_datagram = true;
  options["netlink"].netlink_route = true;
  options["none"] = nothing_granted();
  for (const auto& [option, granted] : options) {
    const Filter filter(granted);
    for (std::uint64_t family = 0; family < 48; ++family)
      for (std::uint64_t type = 0; type < 16; ++type)
        for (std::uint64_t protocol : Words{0ULL, 1ULL, 2ULL, 6ULL, 15ULL, 17ULL, 58ULL, 132ULL,
                                            136ULL, 256ULL, 262ULL, 255ULL}) {
          const auto found = granted_by.find({family, type, protocol});
          const bool unix_socket =
              family == AF_UNIX && option == "unix" &&
              (type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET);
          const bool expected =
              unix_socket || (found != granted_by.end() && found->second == option);
          const Arguments arguments = {family | kGarbage, type | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                       protocol | kGarbage};
          INFO(option << ' ' << family << ' ' << type << ' ' << protocol);
          REQUIRE(answer(filter, "socket", arguments) == (expected ? "allow" : "eperm"));
        }
  }
}

TEST_CASE("strict has socket pairs and no other socket", "[sandbox-filter]") {
  const Filter strict(test::generous(SyscallProfile::strict));
  for (std::uint64_t family : Words{AF_UNIX, AF_INET, AF_INET6, AF_NETLINK})
    for (std::uint64_t type : Words{SOCK_STREAM, SOCK_DGRAM, SOCK_RAW})
      CHECK(answer(strict, "socket", {family, type}) == "eperm");
  CHECK(answer(strict, "socketpair", {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}) == "allow");
  CHECK(answer(strict, "socketpair", {AF_UNIX, SOCK_DGRAM}) == "eperm");
  CHECK(answer(strict, "connect", {}) == "eperm");
}

TEST_CASE("a socket pair is no way to the paths that unix sockets would reach",
          "[sandbox-filter]") {
  const Filter filter(nothing_granted());
  CHECK(answer(filter, "socketpair", {AF_UNIX, SOCK_STREAM}) == "allow");
  CHECK(answer(filter, "socketpair", {AF_UNIX | kGarbage, SOCK_SEQPACKET | SOCK_CLOEXEC}) ==
        "allow");
  CHECK(answer(filter, "socketpair", {AF_UNIX, SOCK_DGRAM}) == "eperm");
  CHECK(answer(filter, "socketpair", {AF_UNIX, SOCK_RAW}) == "eperm");
  CHECK(answer(filter, "socketpair", {AF_INET, SOCK_STREAM}) == "eperm");
  CHECK(build_answer("socketpair", {AF_UNIX, SOCK_DGRAM}) == "allow");
  CHECK(build_answer("socketpair", {AF_UNIX, SOCK_RAW}) == "eperm");
}

TEST_CASE("a TCP socket stays one", "[sandbox-filter]") {
  CHECK(build_answer("setsockopt", {3, 6 | kGarbage, 31 | kGarbage}) == "eperm");
  CHECK(build_answer("setsockopt", {3, 6, 1}) == "allow");  // TCP_NODELAY
  CHECK(build_answer("setsockopt", {3, SOL_SOCKET, 31}) == "allow");
}

TEST_CASE("a personality may be asked for, and ease debugging, and nothing else",
          "[sandbox-filter]") {
  for (std::uint64_t allowed :
       Words{0ULL, 8ULL, 0x20000ULL, 0x20008ULL, 0xFFFFFFFFULL, 0x40000ULL, 0x40008ULL, 0x60008ULL})
    CHECK(build_answer("personality", {allowed | kGarbage}) == "allow");
  for (std::uint64_t refused : Words{READ_IMPLIES_EXEC, 1ULL, 9ULL, 0x440000ULL, 0xFFFFFFFEULL,
                                     0x7FFFFFFFULL, PER_BSD, 0x0080000ULL})
    CHECK(build_answer("personality", {refused}) == "eperm");
}

TEST_CASE("nodes are fifos, sockets and regular files", "[sandbox-filter]") {
  for (const auto& [call, at] : {std::pair{"mknod", 1}, {"mknodat", 2}}) {
    const auto made = [&](std::uint64_t mode) {
      Arguments arguments{};
      arguments[static_cast<std::size_t>(at)] = mode;
      return build_answer(call, arguments);
    };
    for (std::uint64_t type : Words{0U, S_IFREG, S_IFIFO, S_IFSOCK}) {
      CHECK(made(type | 0644 | kGarbage) == "allow");
      CHECK(made(type | 07777 | 0xFFFF0000) == "allow");  // the kernel takes 16 bits
    }
    for (std::uint64_t type = 0; type < 16; ++type)
      if (type != 0 && type != 1 && type != 8 && type != 12)
        CHECK(made(type << 12 | 0644) == "eperm");
  }
}

TEST_CASE("setuid and setgid bits are refused where they would stay behind", "[sandbox-filter]") {
  FilterOptions options = test::generous(SyscallProfile::build);
  options.refuse_setuid_bits = true;
  const Filter filter(options);
  const std::pair<std::string_view, std::size_t> modes[] = {
      {"chmod", 1}, {"fchmod", 1},  {"fchmodat", 2}, {"fchmodat2", 2}, {"mkdir", 1},
      {"creat", 1}, {"mkdirat", 2}, {"mknod", 1},    {"mknodat", 2}};
  for (const auto& [call, at] : modes) {
    for (std::uint64_t mode = 0; mode <= 07777; ++mode) {
      Arguments arguments{};
      arguments[at] = mode | kGarbage;
      INFO(call << ' ' << mode);
      REQUIRE(answer(filter, call, arguments) == ((mode & 06000) != 0 ? "eperm" : "allow"));
      REQUIRE(build_answer(call, arguments) == "allow");
    }
  }
}

TEST_CASE("an open is held to its mode only where it creates", "[sandbox-filter]") {
  FilterOptions options = test::generous(SyscallProfile::build);
  options.refuse_setuid_bits = true;
  const Filter filter(options);
  for (std::uint64_t setid : Words{04000, 02000, 06000}) {
    CHECK(answer(filter, "open", {0, O_RDONLY, setid}) == "allow");
    CHECK(answer(filter, "openat", {0, 0, O_RDWR | O_TRUNC, setid}) == "allow");
    CHECK(answer(filter, "open", {0, O_CREAT | O_WRONLY | kGarbage, setid | 0644}) == "eperm");
    CHECK(answer(filter, "openat", {0, 0, O_CREAT | O_WRONLY, setid | 0644}) == "eperm");
    CHECK(answer(filter, "openat", {0, 0, O_TMPFILE | O_RDWR, setid | 0600}) == "eperm");
    CHECK(build_answer("openat", {0, 0, O_CREAT | O_WRONLY, setid}) == "allow");
  }
  CHECK(answer(filter, "open", {0, O_CREAT | O_WRONLY, 01777}) == "allow");
  CHECK(answer(filter, "openat2", {}) == "enosys");
  CHECK(build_answer("openat2", {}) == "allow");
}

TEST_CASE("priorities, scheduling classes and the memory map have their limits",
          "[sandbox-filter]") {
  const Filter strict(test::generous(SyscallProfile::strict));
  for (std::uint64_t refused : Words{1, 2, 4, 6, 7, 0x40000001})  // FIFO, RR, ISO, DEADLINE, EXT
    CHECK(build_answer("sched_setscheduler", {0, refused}) == "eperm");
  for (std::uint64_t allowed : Words{0, 3, 5, 0x40000000, 0x40000003})
    CHECK(build_answer("sched_setscheduler", {0, allowed | kGarbage}) == "allow");
  CHECK(build_answer("sched_setattr", {}) == "eperm");
  CHECK(build_answer("setpriority", {0, 0, static_cast<std::uint64_t>(-5)}) == "allow");
  CHECK(answer(strict, "setpriority", {0, 0, static_cast<std::uint64_t>(-1)}) == "eperm");
  CHECK(answer(strict, "setpriority", {0, 0, 0xFFFFFFFF}) == "eperm");
  CHECK(answer(strict, "setpriority", {0, 0, 19}) == "allow");
  CHECK(build_answer("prctl", {PR_SET_MM | kGarbage}) == "eperm");
  CHECK(build_answer("prctl", {PR_SET_MM - 1}) == "allow");
  CHECK(build_answer("prctl", {PR_SET_NO_NEW_PRIVS, PR_SET_MM}) == "allow");
}

TEST_CASE("limits of other processes can be refused, one's own never", "[sandbox-filter]") {
  FilterOptions options = test::generous(SyscallProfile::build);
  const Filter among_its_own(options);
  options.limit_others = false;
  const Filter among_others(options);
  CHECK(answer(among_its_own, "prlimit64", {1234}) == "allow");
  CHECK(answer(among_others, "prlimit64", {1234}) == "eperm");
  CHECK(answer(among_others, "prlimit64", {0}) == "allow");
  CHECK(answer(among_others, "prlimit64", {kGarbage}) == "allow");  // the kernel reads an int
}

TEST_CASE("semaphores and message queues of others can be refused, shared memory stays",
          "[sandbox-filter]") {
  FilterOptions options = test::generous(SyscallProfile::build);
  const Filter among_its_own(options);
  options.ipc_objects = false;
  const Filter among_others(options);
  for (std::string_view call : {"semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd",
                                "msgrcv", "msgctl", "mq_open", "mq_unlink"}) {
    INFO(call);
    CHECK(answer(among_its_own, call, {}) == "allow");
    CHECK(answer(among_others, call, {}) == "eperm");
  }
  for (std::string_view call : {"shmget", "shmat", "shmctl", "futex"})
    CHECK(answer(among_others, call, {}) == "allow");
}

TEST_CASE("debug traces, and faults in user mode only", "[sandbox-filter]") {
  FilterOptions options = test::generous(SyscallProfile::debug);
  const Filter debug(options);
  options.trace_processes = false;
  const Filter alone(options);
  CHECK(answer(debug, "userfaultfd", {1 | O_CLOEXEC | kGarbage}) == "allow");
  CHECK(answer(debug, "userfaultfd", {O_CLOEXEC}) == "eperm");
  CHECK(build_answer("userfaultfd", {1}) == "eperm");
  for (std::string_view call : {"ptrace", "process_vm_readv", "process_vm_writev", "kcmp"}) {
    CHECK(answer(debug, call, {}) == "allow");
    CHECK(answer(alone, call, {}) == "eperm");
  }
  CHECK(build_answer("ptrace", {}) == "allow");
}
