// The kernel under our filters, in children: it must answer as bpf_eval predicts.
#include "sandbox/seccomp_filter.hpp"
#include "tests/sandbox/filter_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_in_child.hpp"
#include "tests/support/skip.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <map>
#include <sstream>

using namespace fathom;
using policies::SyscallProfile;
using sandbox::FilterOptions;
using test::Arguments;
using test::Filter;

namespace {

constexpr unsigned kChildSecondsMax = 20;  // a notification that nobody answers waits for ever

struct Probe {
  std::string_view what;
  long number;
  Arguments arguments;
};

// Harmless without a filter too, where they are run first: pointers are null, descriptors closed,
// numbers out of range.
const std::vector<Probe>& probes() {
  static const std::vector<Probe> all = {
      {"getpid", SYS_getpid, {}},
      {"unshare of nothing", SYS_unshare, {0}},
      {"a user namespace", SYS_unshare, {CLONE_NEWUSER}},
      {"a mount namespace by clone", SYS_clone, {CLONE_NEWNS | CLONE_FS | SIGCHLD}},
      {"clone3", SYS_clone3, {0, 0}},
      {"io_uring_setup", SYS_io_uring_setup, {0, 0}},
      {"bpf", SYS_bpf, {~0ULL, 0, 0}},
      {"mount", SYS_mount, {0, 0, 0, 0, 0}},
      {"setns", SYS_setns, {~0ULL, 0}},
      {"keyctl", SYS_keyctl, {~0ULL}},
      {"reboot", SYS_reboot, {0, 0, 0}},
      {"open_by_handle_at", SYS_open_by_handle_at, {~0ULL, 0, 0}},
      {"pidfd_getfd", SYS_pidfd_getfd, {~0ULL, ~0ULL, 0}},
      {"TIOCSTI", SYS_ioctl, {~0ULL, TIOCSTI, 0}},
      {"TIOCSTI with a bit above", SYS_ioctl, {~0ULL, TIOCSTI | 1ULL << 32, 0}},
      {"TIOCGWINSZ", SYS_ioctl, {~0ULL, TIOCGWINSZ, 0}},
      {"a unix socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
      {"a TCP socket", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0}},
      {"an MPTCP socket", SYS_socket, {AF_INET, SOCK_STREAM, 262}},
      {"a packet socket", SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
      {"a vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
      {"an open", SYS_openat, {static_cast<std::uint64_t>(AT_FDCWD), 0, O_RDONLY}},
      {"openat2", SYS_openat2, {~0ULL, 0, 0, 0}},
      {"chmod to setuid", SYS_chmod, {0, 04755}},
      {"a device", SYS_mknod, {0, S_IFBLK | 0600, 0}},
      {"a fifo", SYS_mknod, {0, S_IFIFO | 0600, 0}},
      {"personality", SYS_personality, {0xFFFFFFFF}},
      {"READ_IMPLIES_EXEC", SYS_personality, {0x0400000}},
      {"PR_SET_MM", SYS_prctl, {PR_SET_MM, 0, 0, 0, 0}},
      {"SCHED_FIFO", SYS_sched_setscheduler, {0, SCHED_FIFO, 0}},
      {"an x32 number", 0x40000000 + SYS_getpid, {}},
      {"a number that no kernel has", 600, {}}};
  return all;
}

bool install(std::span<const sock_filter> code) {
  sock_fprog program{static_cast<unsigned short>(code.size()),
                     const_cast<sock_filter*>(code.data())};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

int errno_of(const Probe& probe) {
  const Arguments& a = probe.arguments;
  errno = 0;
  const long result = ::syscall(probe.number, a[0], a[1], a[2], a[3], a[4], a[5]);
  return result == -1 ? errno : 0;
}

void say(int to, const std::string& text) {
  if (::write(to, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(1);
}

// The errno of each probe, made in a child of its own: some change their process.
std::vector<int> errnos(const Filter* filter) {
  const test::Death all = test::run_in_child([filter](int to) {
    if (filter && !install(filter->instructions())) ::_exit(1);
    for (const Probe& probe : probes()) {
      const pid_t child = ::fork();
      if (child == 0) {
        const int error = errno_of(probe);
        say(to, std::to_string(error) + "\n");
        ::_exit(0);
      }
      int status = 0;
      if (child < 0 || ::waitpid(child, &status, 0) != child) ::_exit(2);
    }
  });
  CHECK(all.status == 0);
  std::vector<int> result;
  std::istringstream lines(all.output);
  for (int error = 0; lines >> error;) result.push_back(error);
  return result;
}

std::string status_field(const std::string& status, const std::string& field) {
  const std::size_t at = status.find("\n" + field + ":\t");
  if (at == std::string::npos) return "";
  const std::size_t from = at + field.size() + 3;
  return status.substr(from, status.find('\n', from) - from);
}

}  // namespace

TEST_CASE("the kernel answers real calls as the interpreter predicts", "[sandbox]") {
  const std::vector<int> natively = errnos(nullptr);
  REQUIRE(natively.size() == probes().size());
  int refused = 0;
  for (auto profile : {SyscallProfile::build, SyscallProfile::debug, SyscallProfile::strict}) {
    FilterOptions options = test::generous(profile);
    options.refuse_setuid_bits = true;
    const Filter filter(options);
    const std::vector<int> confined = errnos(&filter);
    REQUIRE(confined.size() == probes().size());
    for (std::size_t i = 0; i < probes().size(); ++i) {
      const Probe& probe = probes()[i];
      const auto answer = filter.answer(static_cast<int>(probe.number), probe.arguments);
      INFO(probe.what << ": predicted " << answer << ", natively " << natively[i]);
      if (answer == "allow") {
        CHECK(confined[i] == natively[i]);
      } else {
        CHECK(confined[i] == (answer == "eperm" ? EPERM : ENOSYS));
        refused += confined[i] != natively[i] ? 1 : 0;
      }
    }
  }
  // Where a probe fails the same way without us it shows nothing; most must not.
  CHECK(refused >= 40);
}

TEST_CASE("a confined process says so in its status", "[sandbox]") {
  const Filter filter(test::generous(SyscallProfile::build));
  const test::Death death = test::run_in_child([&](int to) {
    if (!install(filter.instructions())) ::_exit(1);
    const int status = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    char text[8192];
    const ssize_t size = ::read(status, text, sizeof text);
    if (size > 0) say(to, std::string(text, static_cast<std::size_t>(size)));
  });
  CHECK(death.status == 0);
  CHECK(status_field(death.output, "Seccomp") == "2");
  CHECK(status_field(death.output, "NoNewPrivs") == "1");
}

TEST_CASE("a call by the gate of 32-bit programs kills the process", "[sandbox]") {
#if defined(__x86_64__)
  const auto call = [](const Filter* filter) {
    return test::run_in_child([filter](int to) {
             if (filter && !install(filter->instructions())) ::_exit(1);
             long result = 20;  // getpid of i386
             __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
             say(to, std::to_string(result));
           })
        .status;
  };
  if (call(nullptr) != 0)
    return test::skip("this kernel runs no 32-bit programs: the gate was not tried");
  for (auto profile : {SyscallProfile::build, SyscallProfile::debug, SyscallProfile::strict}) {
    const Filter filter(test::generous(profile));
    const int status = call(&filter);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGSYS);
  }
#else
  test::skip("int 0x80 is x86_64's: the gate was not tried");
#endif
}

TEST_CASE("a further filter can only take away, and a second listener is refused", "[sandbox]") {
  if (!test::may_listen())
    return test::skip("a listener is in place outside: a second one was not tried");
  FilterOptions options = test::generous(SyscallProfile::build);
  options.notify.refused = true;
  const Filter filter(options);
  const test::Death death = test::run_in_child([&](int to) {
    const auto code = filter.instructions();
    sock_fprog program{static_cast<unsigned short>(code.size()),
                       const_cast<sock_filter*>(code.data())};
    sock_filter allow_all{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    sock_fprog wide{1, &allow_all};
    const auto listen = [](sock_fprog& with) {
      return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                       &with);
    };
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || listen(program) < 0) ::_exit(1);
    if (listen(wide) != -1 || errno != EBUSY) ::_exit(2);
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &wide) != 0) ::_exit(3);
    say(to, ::syscall(SYS_unshare, CLONE_NEWUSER) == -1 && errno == EPERM ? "held" : "passed");
  });
  CHECK(death.status == 0);
  CHECK(death.output == "held");
}

TEST_CASE("a notified call waits for its answer and a read does not wait", "[sandbox]") {
  if (!test::may_listen())
    return test::skip("a listener is in place outside: no call was notified");
  FilterOptions options = test::generous(SyscallProfile::build);
  options.notify = {.write_opens = true, .connect = true, .refused = true};
  const Filter filter(options);
  const test::Death death = test::run_in_child([&](int to) {
    ::alarm(kChildSecondsMax);
    const auto code = filter.instructions();
    sock_fprog program{static_cast<unsigned short>(code.size()),
                       const_cast<sock_filter*>(code.data())};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(1);
    const auto listener = static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                                     SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    if (listener < 0) ::_exit(2);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::open("/proc/self/status", O_RDONLY | O_CLOEXEC) < 0) ::_exit(3);
      std::string errors;
      errors += ::open("/nowhere", O_WRONLY | O_CREAT, 0600) == -1 ? std::to_string(errno) : "?";
      errors += ::connect(-1, nullptr, 0) == -1 ? ' ' + std::to_string(errno) : "?";
      errors +=
          ::mount(nullptr, nullptr, nullptr, 0, nullptr) == -1 ? ' ' + std::to_string(errno) : "?";
      say(to, errors + "\n");
      ::_exit(0);
    }
    // Answered with numbers that the kernel would not give, which names the calls in their order.
    for (int expected : {SYS_openat, SYS_connect, SYS_mount}) {
      seccomp_notif request{};
      if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) ::_exit(4);
      seccomp_notif_resp response{};
      response.id = request.id;
      response.error = request.data.nr == expected ? -(1000 + expected) : -1;
      if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) != 0) ::_exit(5);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child || status != 0) ::_exit(6);
  });
  CHECK(death.status == 0);
  CHECK(death.output == std::to_string(1000 + SYS_openat) + ' ' +
                            std::to_string(1000 + SYS_connect) + ' ' +
                            std::to_string(1000 + SYS_mount) + '\n');
}
