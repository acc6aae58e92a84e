#include "tests/sandbox/filter_fixture.hpp"

#include "sandbox/seccomp_filter.hpp"
#include "sandbox/seccomp_table.hpp"
#include "tests/support/run_in_child.hpp"

#include <seccomp.h>

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>

namespace fathom::test {
namespace {

sandbox::BpfProgram build(const sandbox::FilterOptions& options) {
  auto program = sandbox::build_filter(options);
  if (!program) throw std::runtime_error(program.error().message);
  return sandbox::BpfProgram::create(*std::move(program)).value();
}

}  // namespace

Filter::Filter(const sandbox::FilterOptions& options) : program_(build(options)) {}

std::string_view Filter::answer(int number, const Arguments& arguments) const {
  return answer_in(seccomp_arch_native(), number, arguments);
}

std::string_view Filter::answer_in(std::uint32_t arch, int number,
                                   const Arguments& arguments) const {
  const std::uint32_t returned =
      program_.run({.number = number, .arch = arch, .arguments = arguments});
  if (returned == SCMP_ACT_ALLOW) return "allow";
  if (returned == SCMP_ACT_ERRNO(EPERM)) return "eperm";
  if (returned == SCMP_ACT_ERRNO(ENOSYS)) return "enosys";
  if (returned == SCMP_ACT_NOTIFY) return "notify";
  if (returned == SCMP_ACT_KILL_PROCESS) return "kill";
  throw std::runtime_error("the filter returned " + std::to_string(returned));
}

int number_of(std::string_view call) {
  int number = seccomp_syscall_resolve_name(std::string(call).c_str());
  if (number == __NR_SCMP_ERROR) number = sandbox::newer_syscall_number(call).value_or(-1);
  if (number < 0) throw std::runtime_error("no call " + std::string(call) + " here");
  return number;
}

sandbox::FilterOptions generous(policies::SyscallProfile profile) {
  return {.profile = profile,
          .unix_sockets = true,
          .inet_stream = true,
          .inet_datagram = true,
          .netlink_route = true};
}

bool may_listen() {
  const auto child = run_in_child([](int) {
    sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    sock_fprog program{1, &allow};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                  &program) < 0)
      ::_exit(1);
  });
  return child.status == 0;
}

bool is_x86_64() { return seccomp_arch_native() == SCMP_ARCH_X86_64; }

}  // namespace fathom::test
