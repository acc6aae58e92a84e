#include "sandbox/seccomp_table.hpp"

#include "tests/sandbox/filter_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <seccomp.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>

using namespace fathom;
using policies::SyscallProfile;
using sandbox::Grant;
using sandbox::syscall_table;

namespace {

constexpr int kNumbers = 600;  // beyond the last call of Linux 6.18, which is 469

std::string library_name(int number) {
  const std::unique_ptr<char, decltype(&std::free)> name(
      seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number), &std::free);
  return name ? name.get() : "";
}

std::map<int, std::string> names_by_number() {
  std::map<int, std::string> names;
  for (const auto& call : syscall_table()) {
    const std::string name(call.name);
    int number = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name.c_str());
    if (number == __NR_SCMP_ERROR) number = sandbox::newer_syscall_number(name).value();
    if (number >= 0) names[number] = name;
  }
  return names;
}

// "41 socket eperm" for every number, with all arguments zero.
std::string answers(SyscallProfile profile) {
  const test::Filter filter(test::generous(profile));
  const auto names = names_by_number();
  std::string text;
  for (int number = 0; number <= kNumbers; ++number) {
    const auto found = names.find(number);
    text += std::to_string(number) + ' ' + (found == names.end() ? "-" : found->second) + ' ';
    text.append(filter.answer(number)) += '\n';
  }
  return text;
}

void check_golden(const std::string& name, SyscallProfile profile) {
  if (!test::is_x86_64())
    return test::skip("the golden tables hold x86_64's numbers: no call was compared");
  const std::string path = "tests/golden/seccomp_" + name + ".txt";
  const std::string actual = answers(profile);
  if (std::getenv("UPDATE_GOLDEN")) std::ofstream(path, std::ios::binary) << actual;
  CHECK(actual == test::slurp(path));
}

}  // namespace

TEST_CASE("every call of every number is answered as the golden table of build says",
          "[sandbox-filter]") {
  check_golden("build", SyscallProfile::build);
}

TEST_CASE("every call of every number is answered as the golden table of debug says",
          "[sandbox-filter]") {
  check_golden("debug", SyscallProfile::debug);
}

TEST_CASE("every call of every number is answered as the golden table of strict says",
          "[sandbox-filter]") {
  check_golden("strict", SyscallProfile::strict);
}

TEST_CASE("the table names each call once", "[sandbox-filter]") {
  std::set<std::string_view> names;
  for (const auto& call : syscall_table()) {
    INFO(call.name);
    CHECK(names.insert(call.name).second);
  }
  CHECK(names.size() > 380);
}

TEST_CASE("the table takes a position on every call that libseccomp knows", "[sandbox-filter]") {
  const auto names = names_by_number();
  for (int number = 0; number <= kNumbers; ++number)
    if (const std::string name = library_name(number); !name.empty()) {
      INFO(number);
      CHECK((names.contains(number) && names.at(number) == name));
    }
}

TEST_CASE("the numbers of newer calls are those of the library where it has them",
          "[sandbox-filter]") {
  for (const auto& call : syscall_table()) {
    const auto newer = sandbox::newer_syscall_number(call.name);
    const int known = seccomp_syscall_resolve_name(std::string(call.name).c_str());
    INFO(call.name);
    if (newer && known != __NR_SCMP_ERROR) CHECK(*newer == known);
  }
}

TEST_CASE("a profile grants what the next smaller one grants", "[sandbox-filter]") {
  // `checked` may be anything: the filter's own test compares arguments.
  const auto rank = [](Grant grant) {
    return grant == Grant::granted ? 2 : grant == Grant::checked ? 1 : 0;
  };
  for (const auto& call : syscall_table()) {
    INFO(call.name);
    CHECK(rank(call.strict) <= rank(call.build));
    CHECK(rank(call.build) <= rank(call.debug));
  }
}

TEST_CASE("what must always be refused is forbidden in build and strict", "[sandbox-filter]") {
  constexpr std::string_view kRefused[] = {"mount",
                                           "umount2",
                                           "pivot_root",
                                           "chroot",
                                           "open_tree",
                                           "move_mount",
                                           "fsopen",
                                           "fsconfig",
                                           "fsmount",
                                           "fspick",
                                           "mount_setattr",
                                           "open_by_handle_at",
                                           "bpf",
                                           "perf_event_open",
                                           "userfaultfd",
                                           "io_uring_setup",
                                           "io_uring_enter",
                                           "io_uring_register",
                                           "keyctl",
                                           "add_key",
                                           "request_key",
                                           "kexec_load",
                                           "kexec_file_load",
                                           "init_module",
                                           "finit_module",
                                           "delete_module",
                                           "acct",
                                           "swapon",
                                           "swapoff",
                                           "reboot",
                                           "quotactl",
                                           "quotactl_fd",
                                           "settimeofday",
                                           "clock_settime",
                                           "iopl",
                                           "ioperm",
                                           "lookup_dcookie",
                                           "nfsservctl",
                                           "uselib",
                                           "vhangup",
                                           "sethostname",
                                           "setdomainname",
                                           "syslog",
                                           "pidfd_getfd",
                                           "process_madvise",
                                           "move_pages",
                                           "migrate_pages",
                                           "fanotify_init",
                                           "memfd_secret",
                                           "sysfs",
                                           "ustat",
                                           "_sysctl",
                                           "kcmp",
                                           "setns"};
  if (!test::is_x86_64()) return test::skip("the list holds x86_64's calls: no call was compared");
  const test::Filter build(test::generous(SyscallProfile::build));
  const test::Filter strict(test::generous(SyscallProfile::strict));
  const test::Arguments ones = {~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL};
  for (std::string_view call : kRefused) {
    INFO(call);
    for (const test::Arguments& arguments : {test::Arguments{}, ones}) {
      CHECK(build.answer(test::number_of(call), arguments) == "eperm");
      CHECK(strict.answer(test::number_of(call), arguments) == "eperm");
    }
  }
}
