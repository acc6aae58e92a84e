// What a command was refused is named out of band, on every rung.
#include "sandbox/notify_supervisor.hpp"
#include "tests/sandbox/filter_fixture.hpp"
#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_in_child.hpp"
#include "tests/support/skip.hpp"

#include <boost/asio/co_spawn.hpp>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>

namespace fathom::sandbox {
namespace {

using test::SandboxFixture;
using test::shell_command;

std::optional<Rung> any_rung() {
  return GENERATE(std::optional<Rung>(), std::optional<Rung>(Rung::container));
}

test::SandboxSetup on(std::optional<Rung> rung) {
  return {[rung](LauncherOptions& options) {
    options.rung = rung;
    options.policy.filesystem.home_root = options.host.home;
    options.policy.filesystem.workspace_root = options.workspace.root;
  }};
}

const Denial* find(const Outcome& outcome, std::string_view target) {
  const auto found = std::ranges::find(outcome.denials, target, &Denial::target);
  return found == outcome.denials.end() ? nullptr : &*found;
}

TEST_CASE("a write outside of the workspace is named, with its rule and the smallest grant",
          "[sandbox]") {
  SandboxFixture box(on(any_rung()));
  const Outcome outcome =
      box.sh("for i in 1 2 3; do echo x > /etc/fathom-x; done; cd /usr; echo x >> fathom-y; true");
  CHECK(outcome.exit_code == 0);
  REQUIRE(find(outcome, "/etc/fathom-x") != nullptr);
  CHECK(*find(outcome, "/etc/fathom-x") == Denial{"write", "/etc/fathom-x", "filesystem.system",
                                                  "filesystem: {write: [\"/etc/fathom-x\"]}", 3});
  CHECK(find(outcome, "/usr/fathom-y") != nullptr);
  CHECK(outcome.denials.size() == 2);
  CHECK_FALSE(std::filesystem::exists("/etc/fathom-x"));
}

TEST_CASE("writes that are allowed are not named", "[sandbox]") {
  SandboxFixture box(on(any_rung()));
  const Outcome outcome = box.sh(
      "echo x > file && echo y >> file && echo z > $TMPDIR/z && : > /dev/null && echo n > ~/note &&"
      "mkdir -p d && cd d && echo w > ../up && ln -s $TMPDIR t && echo v > t/v");
  CHECK(outcome.err.text().empty());
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.denials.empty());
}

TEST_CASE("a write through a link is named by where the link leads", "[sandbox]") {
  SandboxFixture box(on(any_rung()));
  const Outcome outcome = box.sh("echo x > /bin/fathom-x; echo x > /etc/none/such; true");
  // /bin is a link to /usr/bin where the system has merged them; a missing folder is nobody's rule.
  REQUIRE(outcome.denials.size() == 1);
  CHECK(outcome.denials.front().target ==
        std::filesystem::canonical("/bin").string() + "/fathom-x");
}

TEST_CASE("a system call that is always refused is named", "[sandbox]") {
  SandboxFixture box(on(any_rung()));
  Command command;
  command.argv = {
      "perl", "-e",
      "syscall(" + std::to_string(SYS_mount) + ", 0, 0, 0, 0, 0); exit($!{EPERM} ? 0 : 1)"};
  const Outcome outcome = box.run(command);
  CHECK(outcome.exit_code == 0);
  REQUIRE(outcome.denials.size() == 1);
  CHECK(outcome.denials.front() == Denial{"system call", "mount", "syscalls.build", ""});
}

TEST_CASE("a hidden file that a failed command named is reported as that", "[sandbox]") {
  SandboxFixture box(on(any_rung()));
  Command command;
  command.argv = {"cat", box.home() + "/.ssh/id_rsa"};
  const Outcome failed = box.run(command);
  CHECK(failed.exit_code == 1);
  CHECK(failed.out.text().empty());
  REQUIRE(failed.denials.size() == 1);
  CHECK(failed.denials.front().what == "read");
  CHECK(failed.denials.front().rule == "filesystem.home");
  CHECK(failed.denials.front().note == "named in the command");
  CHECK(box.sh("cat ~/.ssh/id_rsa").denials.size() == 1);
  CHECK(box.sh("cat ~/.ssh/id_rsa; true").denials.empty());  // nothing failed, nothing to explain
  CHECK(box.sh("cat ~/.ssh/id_dsa").denials.empty());        // it does not exist
}

TEST_CASE("many processes wait at one listener and all are answered", "[sandbox]") {
  SandboxFixture box(on(any_rung()));
  const Outcome outcome = box.sh(
      "for i in 1 2 3 4 5 6 7 8; do (for j in 1 2 3 4 5 6 7 8 9; do echo $j > f$i.$j; done) & done;"
      "wait; ls | wc -l; for i in 1 2 3 4 5; do (while :; do echo x > k$i; done) & done; exit 0");
  CHECK(outcome.out.text() == "72\n");
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.left_processes);  // killed in the midst of notified calls
  CHECK(outcome.denials.empty());
}

TEST_CASE("a command whose listener is lost is no success", "[sandbox]") {
  const policies::Policy policy;
  const FileFences fences{policy, {}, {}};
  asio::io_context io{1};
  Outcome outcome;
  bool killed = false;
  NotifySupervisor supervisor(fences, {});
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        co_await supervisor.watch(-1, outcome, [&] { killed = true; });
        co_await supervisor.serve(UniqueFd(::eventfd(1, EFD_CLOEXEC)), outcome);
      },
      [](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
      });
  io.run();
  CHECK(outcome.ending == Ending::lost);
  CHECK(killed);
  outcome.end(Ending::exited, "");
  CHECK(outcome.ending == Ending::lost);
}

TEST_CASE("a call that waits for a supervisor that is gone fails with ENOSYS", "[sandbox]") {
  if (!test::may_listen())
    return test::skip("a listener is in place outside: no call was notified");
  FilterOptions options = test::generous(policies::SyscallProfile::build);
  options.notify.write_opens = true;
  const test::Filter filter(options);
  const test::Death death = test::run_in_child([&](int) {
    const auto code = filter.instructions();
    sock_fprog program{static_cast<unsigned short>(code.size()),
                       const_cast<sock_filter*>(code.data())};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(1);
    const auto listener = static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                                     SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    if (listener < 0) ::_exit(2);
    ::close(listener);
    ::_exit(::open("/dev/null", O_WRONLY) == -1 && errno == ENOSYS ? 0 : 3);
  });
  CHECK(death.status == 0);
}

}  // namespace
}  // namespace fathom::sandbox
