#include "sandbox/launcher.hpp"

#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

namespace fathom::sandbox {
namespace {

using test::SandboxFixture;
using test::shell_command;

std::string out_of(const Outcome& outcome) { return outcome.out.text(); }

TEST_CASE("a command's exit code, output and error come back apart", "[sandbox]") {
  SandboxFixture box;
  const Outcome outcome = box.sh("echo to-out; echo to-err >&2; exit 3");
  CHECK(outcome.ending == Ending::exited);
  CHECK(outcome.exit_code == 3);
  CHECK(out_of(outcome) == "to-out\n");
  CHECK(outcome.err.text() == "to-err\n");
  CHECK_FALSE(outcome.left_processes);
  CHECK(outcome.rung == box.launcher().rung());
}

TEST_CASE("a command that is not there has not started, and says why", "[sandbox]") {
  SandboxFixture box;
  Command command;
  command.argv = {"no-such-command"};
  const Outcome outcome = box.run(command);
  CHECK(outcome.ending == Ending::not_started);
  CHECK(outcome.stage == wire::Stage::exec);
  CHECK(outcome.evidence == "sandbox: exec: No such file or directory");
}

// Runtimes look for their limits by these two files. JDK 17 takes no mount whose root is "/../..":
// it ends with a NullPointerException.
TEST_CASE("a command's control groups stand below what it sees mounted", "[sandbox]") {
  constexpr std::string_view kOutside = "/..";
  const bool has_some = test::slurp("/proc/self/mountinfo").contains(kOutside) ||
                        test::slurp("/proc/self/cgroup").contains(kOutside);
  if (has_some) return test::skip("this process's own control groups are outside of its view");
  SandboxFixture box;
  for (const char* file : {"mountinfo", "cgroup"}) {
    const std::string text = out_of(box.sh(std::string("cat /proc/self/") + file));
    INFO(text);
    CHECK_FALSE(text.empty());
    CHECK_FALSE(text.contains(kOutside));
  }
}

TEST_CASE("a signal that ends a command is reported as such", "[sandbox]") {
  SandboxFixture box;
  const Outcome outcome = box.sh("kill -SEGV $$");
  CHECK(outcome.ending == Ending::signalled);
  CHECK(outcome.signal == SIGSEGV);
}

TEST_CASE("the workspace is writable, everything else is not", "[sandbox]") {
  SandboxFixture box;
  const Outcome outcome = box.sh(
      "echo mine > file && cat file;"
      "for path in /etc/x /usr/x /var/lib/x /x; do touch $path 2>/dev/null && echo WROTE $path; "
      "done;"
      "true");
  CHECK(out_of(outcome) == "mine\n");
  CHECK(test::slurp(box.workspace() + "/file") == "mine\n");
  struct stat info{};
  REQUIRE(::stat((box.workspace() + "/file").c_str(), &info) == 0);
  CHECK(info.st_uid == ::geteuid());  // as its user's, also where the command ran under another id
}

TEST_CASE("a command that root runs leaves no file that runs as its owner", "[sandbox]") {
  if (::geteuid() != 0) return test::skip("files of root: only root can leave them");
  SandboxFixture box;
  const Outcome outcome = box.sh(
      "cp /bin/true tool; chmod u+s tool; chmod 2755 tool; mkdir -m 2755 folder; ls -l tool;"
      "python3 -c 'import os; os.open(\"other\", os.O_CREAT | os.O_WRONLY, 0o4755)'; true");
  CHECK(out_of(outcome).starts_with("-rwxr-xr-x"));
  for (const auto& entry : std::filesystem::directory_iterator(box.workspace()))
    CHECK((entry.status().permissions() &
           (std::filesystem::perms::set_uid | std::filesystem::perms::set_gid)) ==
          std::filesystem::perms::none);
}

TEST_CASE("the home folder is empty and private, secrets are not passed", "[sandbox]") {
  SandboxFixture box;
  const Outcome outcome = box.sh(
      "cat ~/.ssh/id_rsa 2>/dev/null; ls -A ~; echo \"token=$GITHUB_TOKEN\"; touch ~/note && ls ~");
  CHECK(out_of(outcome) == "token=\nnote\n");
  CHECK_FALSE(std::filesystem::exists(box.home() + "/note"));
}

TEST_CASE("commands of one session share /tmp and loopback, not processes", "[sandbox]") {
  SandboxFixture box;
  CHECK(out_of(box.sh("echo kept > /tmp/kept; cat /tmp/kept")) == "kept\n");
  CHECK(out_of(box.sh("cat /tmp/kept")) == "kept\n");
  CHECK_FALSE(std::filesystem::exists("/tmp/kept"));
  const Outcome listing = box.sh("ls -d /proc/[0-9]* | wc -l");
  CHECK(std::stoi(out_of(listing)) <= 5);  // the init, the shell, ls, wc
}

TEST_CASE("a deadline ends the whole tree, daemons too", "[sandbox]") {
  SandboxFixture box;
  Command command = shell_command(
      "trap '' TERM HUP; for i in 1 2 3 4 5 6 7 8 9 10; do setsid sleep 1000 & done; sleep 1000");
  command.time = std::chrono::milliseconds(300);
  const Outcome outcome = box.run(command);
  CHECK(outcome.ending == Ending::deadline);
  CHECK(outcome.evidence == "deadline of 300 ms");
  CHECK(out_of(box.sh("ls -d /proc/[0-9]* | wc -l")) <= "5\n");
}

TEST_CASE("a call returns although a daemon holds its pipe, and the daemon is gone", "[sandbox]") {
  SandboxFixture box;
  const Outcome outcome = box.sh("sleep 1000 & echo started");
  CHECK(outcome.ending == Ending::exited);
  CHECK(outcome.exit_code == 0);
  CHECK(out_of(outcome) == "started\n");
  CHECK(outcome.left_processes);
}

TEST_CASE("output beyond what is kept is cut in the middle and counted", "[sandbox]") {
  SandboxFixture box;
  const Outcome outcome =
      box.sh("echo first; head -c 1000000 /dev/zero | tr '\\0' x; echo; echo last");
  CHECK(outcome.out.bytes == 1'000'012);
  CHECK(outcome.out.bytes_cut == 1'000'012 - kOutputHeadBytes - kOutputTailBytes);
  CHECK(outcome.out.head.starts_with("first\n"));
  CHECK(outcome.out.tail.ends_with("x\nlast\n"));
}

TEST_CASE("too much output ends the command", "[sandbox]") {
  SandboxFixture box(
      {[](LauncherOptions& options) { options.policy.limits.output_bytes = 1 << 20; }});
  const Outcome outcome = box.sh("cat /dev/zero");
  CHECK(outcome.ending == Ending::output_limit);
  CHECK(outcome.out.bytes < 4 << 20);
}

TEST_CASE("a child cannot forge how it ended", "[sandbox]") {
  SandboxFixture box;
  const Outcome outcome = box.sh(
      "echo '[sandbox] stopped: deadline' >&2; echo '{\"ending\":\"deadline\"}';"
      "for fd in 3 4 5 6 7 8 9; do echo forged 2>/dev/null >&$fd; done; exit 12");
  CHECK(outcome.ending == Ending::exited);
  CHECK(outcome.exit_code == 12);
  CHECK(outcome.denials.empty());
}

TEST_CASE("two commands run at once in one session", "[sandbox]") {
  SandboxFixture box;
  const auto [first, second] =
      box.both(shell_command("mkfifo /tmp/f && echo through > /tmp/f"),
               shell_command("until [ -p /tmp/f ]; do :; done; cat /tmp/f"));
  CHECK(first.exit_code == 0);
  CHECK(second.out.text() == "through\n");
}

TEST_CASE("more processes than the limit are refused and the limit is named", "[sandbox]") {
  SandboxFixture box({[](LauncherOptions& options) { options.policy.limits.pids = 24; }});
  const Outcome outcome =
      box.sh("i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done 2>/tmp/errors; echo done");
  CHECK(outcome.left_processes);
  CHECK(out_of(box.sh("grep -c . /tmp/errors")) != "0\n");
}

TEST_CASE("memory beyond the limit ends the command with that reason", "[sandbox]") {
  SandboxFixture box(
      {[](LauncherOptions& options) { options.policy.limits.memory_bytes = 64 << 20; }});
  const Outcome outcome = box.sh("exec dd if=/dev/zero of=/dev/null bs=300M count=1");
  CHECK(outcome.ending == Ending::memory_limit);
  // A grant that can be asked for as it stands, where the kernel counted.
  for (const Denial& denial : outcome.denials) CHECK(denial.grant == "limits: {memory: 128MiB}");
}

TEST_CASE("a disposable workspace takes edits and forgets them", "[sandbox]") {
  SandboxFixture box({[](LauncherOptions& options) { options.mode = Mode::disposable; }});
  std::ofstream(box.workspace() + "/kept") << "old\n";
  CHECK(out_of(box.sh("echo new > kept; echo more > extra; cat kept extra")) == "new\nmore\n");
  CHECK(out_of(box.sh("cat kept extra")) == "new\nmore\n");
  CHECK(test::slurp(box.workspace() + "/kept") == "old\n");
  CHECK_FALSE(std::filesystem::exists(box.workspace() + "/extra"));
}

TEST_CASE("a policy that requires more than the rung gives lets nothing run", "[sandbox]") {
  SandboxFixture box({[](LauncherOptions& options) {
    options.rung = Rung::container;
    options.policy.require[static_cast<std::size_t>(policies::Guarantee::tree_kill)] =
        policies::Strength::enforced;
  }});
  const Result<> opened = box.open();
  REQUIRE_FALSE(opened);
  REQUIRE(box.refusal().missing.size() == 1);
  CHECK(box.refusal().missing.front().guarantee == policies::Guarantee::tree_kill);
  CHECK_FALSE(box.refusal().missing.front().fix.empty());
}

TEST_CASE("a limit of processor time that nothing applies is said, and can be required",
          "[sandbox]") {
  SandboxFixture box({[](LauncherOptions& options) {
    options.policy.limits.cpu_percent = 50;
    options.groups = GroupUse::never;
  }});
  const Outcome outcome = box.sh("true");
  const auto said =
      std::ranges::find(outcome.weaker, policies::Guarantee::cpu, &WeakerGuarantee::guarantee);
  REQUIRE(said != outcome.weaker.end());
  CHECK(said->strength == policies::Strength::none);
  CHECK(said->reason == "no writable control group: limits.cpu_percent is not applied");
  box.reopen([](LauncherOptions& options) {
    options.policy.require[static_cast<std::size_t>(policies::Guarantee::cpu)] =
        policies::Strength::enforced;
  });
  CHECK_FALSE(box.open());
  REQUIRE(box.refusal().missing.size() == 1);
  CHECK(box.refusal().missing.front().guarantee == policies::Guarantee::cpu);
  box.reopen([](LauncherOptions& options) { options.policy.limits.cpu_percent = 0; });
  CHECK(box.open());
}

TEST_CASE("the container rung holds writes, hides home, and sweeps the tree", "[sandbox]") {
  SandboxFixture box({[](LauncherOptions& options) { options.rung = Rung::container; }});
  const Outcome outcome = box.sh(
      "echo mine > file; touch /etc/x 2>/dev/null && echo WROTE; cat ~/.ssh/id_rsa 2>/dev/null;"
      "(setsid sleep 1000 &) ; cat file");
  CHECK(outcome.rung == Rung::container);
  CHECK(out_of(outcome) == "mine\n");
  CHECK(outcome.left_processes);
  CHECK_FALSE(outcome.weaker.empty());
}

TEST_CASE("a command that was cancelled is looked at like any other", "[sandbox]") {
  SandboxFixture box({[](LauncherOptions& options) {
    options.rung = Rung::container;
    options.policy.filesystem.protected_names = {{".vscode/", policies::Protection::deny, "r"}};
  }});
  std::filesystem::create_directories(box.workspace() + "/.vscode");
  std::ofstream(box.workspace() + "/.vscode/tasks.json") << "mine\n";
  REQUIRE(box.open());
  asio::cancellation_signal stop;
  bool unwound = false;
  Command command = shell_command("echo theirs > .vscode/tasks.json; echo written; sleep 1000");
  command.on_output = [&](OutputStream, std::string_view) {
    stop.emit(asio::cancellation_type::terminal);
  };
  asio::co_spawn(
      box.io(),
      [](Launcher& launcher, Command what) -> asio::awaitable<void> {
        (void)co_await launcher.run(std::move(what));
      }(box.launcher(), command),
      asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr error) {
        unwound = static_cast<bool>(error);
        box.io().stop();
      }));
  box.io().restart();
  box.io().run();
  CHECK(unwound);
  CHECK(test::slurp(box.workspace() + "/.vscode/tasks.json") == "mine\n");
}

TEST_CASE("a write grant that does not exist is an error that names it", "[sandbox]") {
  SandboxFixture box({[](LauncherOptions& options) {
    options.policy.filesystem.grants.push_back(
        {"/nowhere/at-all", policies::Access::write, "filesystem.write[0]"});
  }});
  const Result<> opened = box.open();
  REQUIRE_FALSE(opened);
  CHECK(
      opened.error().message ==
      "policy: filesystem.write[0]: /nowhere/at-all does not exist: create it or remove the grant");
}

}  // namespace
}  // namespace fathom::sandbox
