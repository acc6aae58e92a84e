// Commands in real sessions: cancelled at every step, with their helpers killed under them, with
// more input, output and arguments than is usual.
#include "sandbox/run_command.hpp"

#include "runtime/async/offload.hpp"
#include "runtime/trace/blob_store.hpp"
#include "sandbox/limit_watch.hpp"
#include "sandbox/tree_meter.hpp"
#include "tests/sandbox/session/live_box.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>

namespace fathom::sandbox {
namespace {

using test::LiveBox;

// The words of one test's processes; no other process has them.
std::string mark(const char* test) {
  return "fathom-" + std::string(test) + std::to_string(::getpid());
}

// A turn that has nothing more to do than wait for the command.
constexpr std::chrono::milliseconds kTurnMax(5);

// Starts a command and cancels its caller after `turns` of the event loop. True when it unwound.
bool cancelled_after(LiveBox& box, const LaunchPlan& launch, int turns) {
  const auto cell = box.cell();
  asio::cancellation_signal stop;
  bool ended = false;
  bool unwound = false;
  const CommandOptions options;
  asio::co_spawn(
      box.io(),
      [](LiveBox& in, Cell& where, const LaunchPlan& what,
         const CommandOptions& how) -> asio::awaitable<void> {
        (void)co_await run_command(in.clock(), {in.session(), where}, what, how);
      }(box, *cell, launch, options),
      asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr error) {
        ended = true;
        unwound = static_cast<bool>(error);
      }));
  box.io().restart();
  for (int turn = 0; turn < turns && !ended; ++turn)
    if (box.io().run_one_for(kTurnMax) == 0) break;
  stop.emit(asio::cancellation_type::terminal);
  box.io().restart();
  box.io().run();
  CHECK(ended);
  return unwound;
}

TEST_CASE("cancelled after any number of turns a command's tree is gone, and no descriptor left",
          "[sandbox]") {
  LiveBox box;
  const std::string word = mark("cancel");
  const LaunchPlan launch = box.sh("setsid sleep 1000 & sleep 1000 & : " + word +
                                   "; sh -c 'sleep 1000' " + word + " & echo x; wait");
  (void)cancelled_after(box, launch, 3);
  const std::size_t before = test::open_descriptors();
  int unwound = 0;
  for (int turns = 0; turns <= 60; ++turns) {
    if (cancelled_after(box, launch, turns)) ++unwound;
    INFO("after " << turns << " turns");
    CHECK(test::processes_with(word).empty());
    CHECK(test::open_descriptors() == before);
  }
  CHECK(unwound == 61);
  CHECK(box.run(box.sh("echo still")).out.text() == "still\n");
}

TEST_CASE("a caller can still be cancelled after a command of its own has run", "[sandbox]") {
  LiveBox box;
  const auto cell = box.cell();
  asio::cancellation_signal stop;
  bool cancelled = false;
  const LaunchPlan launch = box.sh("true");
  const CommandOptions options;
  bool waits = false;
  asio::co_spawn(
      box.io(),
      [](LiveBox& in, Cell& where, const LaunchPlan& what, const CommandOptions& how,
         bool& waiting) -> asio::awaitable<void> {
        (void)co_await run_command(in.clock(), {in.session(), where}, what, how);
        waiting = true;
        co_await in.clock().sleep_for(std::chrono::seconds(20));
      }(box, *cell, launch, options, waits),
      asio::bind_cancellation_slot(
          stop.slot(), [&](std::exception_ptr error) { cancelled = static_cast<bool>(error); }));
  box.io().restart();
  while (!waits && box.io().run_one() > 0) continue;
  stop.emit(asio::cancellation_type::terminal);
  box.io().restart();
  box.io().run();
  CHECK(cancelled);
}

TEST_CASE("a holder that is killed loses its commands, and says so", "[sandbox]") {
  LiveBox box;
  const std::string word = mark("holder");
  CommandOptions options;
  bool killed = false;
  options.io.on_output = [&](OutputStream, std::string_view) {
    if (!killed) ::kill(box.session().holder(), SIGKILL);
    killed = true;
  };
  const Outcome outcome = box.run(box.sh("echo up; sh -c 'sleep 1000' " + word), options);
  CHECK(killed);
  CHECK(outcome.ending == Ending::lost);
  CHECK(outcome.evidence == "the sandbox ended before it reported");
  CHECK(test::processes_with(word).empty());
}

TEST_CASE("without its zygote a session goes on confined, and no new one opens", "[sandbox]") {
  LiveBox box;
  const std::string word = mark("zygote");
  CommandOptions options;
  bool killed = false;
  options.io.on_output = [&](OutputStream, std::string_view) {
    if (!killed) ::kill(box.zygote().pid(), SIGKILL);
    killed = true;
  };
  const Outcome outcome =
      box.run(box.sh("echo up; sleep 0.05; touch /etc/x 2>/dev/null; echo $?"), options);
  // Either the sandbox was lost with it, or what it reports is what really happened.
  CHECK(killed);
  if (outcome.ending != Ending::lost) {
    CHECK(outcome.ending == Ending::exited);
    CHECK(outcome.out.text() == "up\n1\n");
  }
  const auto session = Session::open(box.zygote(), SessionPlan{}, box.io().get_executor());
  if (session) {
    Result<> ready;
    box.run([](Session& opened, Result<>& into) -> asio::awaitable<void> {
      into = co_await opened.ready();
    }(**session, ready));
    CHECK_FALSE(ready);
  }
  CHECK(test::processes_with(word).empty());
}

TEST_CASE("an output of 100 MB is counted, kept in part, and spilled byte for byte", "[sandbox]") {
  LiveBox box;
  const auto blobs = trace::BlobStore::open(box.root() / "blobs");
  REQUIRE(blobs);
  OffloadPool offload;
  CommandOptions options;
  options.io.blobs = &*blobs;
  options.io.offload = &offload;
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const std::uint64_t bytes = 100'000'000;
  const Outcome outcome = box.run(
      box.sh("yes 'a line of some length, as programs write them' | head -c 100000000"), options);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.out.bytes == bytes);
  CHECK(outcome.out.bytes_cut == bytes - kOutputHeadBytes - kOutputTailBytes);
  CHECK(after.ru_maxrss - before.ru_maxrss <
        48 << 10);  // KiB: neither the output nor a tenth of it
  REQUIRE_FALSE(outcome.out.blob.empty());
  const auto stored = blobs->read(outcome.out.blob, 0, bytes + 1);
  REQUIRE(stored);
  REQUIRE(stored->size() == bytes);
  CHECK(stored->starts_with(outcome.out.head));
  CHECK(stored->ends_with(outcome.out.tail));
  const std::string line = "a line of some length, as programs write them\n";
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < stored->size(); ++i)
    if ((*stored)[i] != line[i % line.size()]) ++wrong;
  CHECK(wrong == 0);
}

TEST_CASE("an output that was not cut leaves no blob", "[sandbox]") {
  LiveBox box;
  const auto blobs = trace::BlobStore::open(box.root() / "blobs");
  REQUIRE(blobs);
  OffloadPool offload;
  CommandOptions options;
  options.io.blobs = &*blobs;
  options.io.offload = &offload;
  const Outcome outcome =
      box.run(box.sh("head -c 262144 /dev/zero; head -c 262145 /dev/zero >&2"), options);
  CHECK(outcome.out.blob.empty());
  CHECK(outcome.out.bytes_cut == 0);
  CHECK_FALSE(outcome.err.blob.empty());
  CHECK(outcome.err.bytes_cut == 1);
}

TEST_CASE("a command reads the input it was given, and an empty one otherwise", "[sandbox]") {
  LiveBox box;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd read(ends[0]);
  UniqueFd write(ends[1]);
  REQUIRE(::write(write.get(), "given\n", 6) == 6);
  write.reset();
  CommandOptions options;
  options.io.input = read.get();
  CHECK(box.run(box.sh("cat; echo end"), options).out.text() == "given\nend\n");
  CHECK(::fcntl(read.get(), F_GETFD) >= 0);
  CHECK(box.run(box.sh("cat; echo end")).out.text() == "end\n");
}

TEST_CASE("a command on a terminal has one: its size, its keys, its interrupt", "[sandbox]") {
  LiveBox box;
  UniqueFd master;
  std::string screen;
  CommandOptions options;
  LaunchPlan launch = box.sh(
      "test -t 0 && test -t 1 && test -t 2 && echo all-terminals; read word; stty size;"
      "echo \"word=$word\"; trap 'echo interrupted; exit 7' INT; echo ready; sleep 20");
  launch.terminal = true;
  options.io.on_terminal = [&](UniqueFd fd) {
    master = std::move(fd);
    const winsize size{33, 101, 0, 0};
    CHECK(::ioctl(master.get(), TIOCSWINSZ, &size) == 0);
    CHECK(::write(master.get(), "typed\n", 6) == 6);
    asio::co_spawn(
        box.io(),
        [](LiveBox& in, int terminal, std::string& into) -> asio::awaitable<void> {
          ::fcntl(terminal, F_SETFL, O_NONBLOCK);
          bool pressed = false;
          for (;;) {
            co_await wait_readable(in.io().get_executor(), terminal);
            std::array<char, 1024> buffer{};
            const ssize_t size = ::read(terminal, buffer.data(), buffer.size());
            if (size <= 0) co_return;
            into.append(buffer.data(), static_cast<std::size_t>(size));
            if (!pressed && into.find("ready") != std::string::npos)
              pressed = ::write(terminal, "\x03", 1) == 1;
          }
        }(box, master.get(), screen),
        [](std::exception_ptr) {});
  };
  const Outcome outcome = box.run(launch, options);
  INFO(screen);
  CHECK(outcome.exit_code == 7);
  CHECK(screen.find("all-terminals\r\n") != std::string::npos);
  CHECK(screen.find("33 101\r\n") != std::string::npos);
  CHECK(screen.find("word=typed\r\n") != std::string::npos);
  CHECK(screen.find("interrupted\r\n") != std::string::npos);
  CHECK(outcome.out.bytes == 0);
}

TEST_CASE("umask and limits are those of the launch", "[sandbox]") {
  LiveBox box;
  LaunchPlan launch = box.sh("umask; ulimit -n; ulimit -c; ulimit -f; ulimit -Hn");
  launch.umask = 027;
  launch.limits = {{RLIMIT_NOFILE, 123}, {RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 512 * 77}};
  CHECK(box.run(launch).out.text() == "0027\n123\n0\n77\n123\n");
}

TEST_CASE("arguments of 200 KB arrive whole, and 5000 of them are refused with the bound",
          "[sandbox]") {
  LiveBox box;
  LaunchPlan launch = box.sh("for word; do printf %s \"$word\"; done | cksum; echo $#");
  launch.argv.emplace_back("sh");
  std::string all;
  for (int i = 0; i < 200; ++i) {
    launch.argv.push_back(std::string(1000, static_cast<char>('a' + i % 26)));
    all += launch.argv.back();
  }
  box.root().write("work/expected", all);
  const std::string expected = box.run(box.sh("cksum < expected; echo 200")).out.text();
  CHECK(box.run(launch).out.text() == expected);
  CHECK(expected.find(" 200000\n") != std::string::npos);

  launch.argv.assign(5000, "x");
  const Outcome refused = box.run(launch);
  CHECK(refused.ending == Ending::not_started);
  CHECK(refused.evidence == "launch: more than 4096 arguments: pass them in a file");
  LaunchPlan huge = box.sh("true");
  huge.argv.assign(90, std::string(100'000, 'x'));
  const Outcome too_large = box.run(huge);
  CHECK(too_large.ending == Ending::not_started);
  CHECK(too_large.evidence.find("8 MiB") != std::string::npos);
}

TEST_CASE("a working folder that is not there starts nothing", "[sandbox]") {
  LiveBox box;
  LaunchPlan launch = box.sh("echo ran");
  launch.working_dir = "/nowhere";
  const Outcome outcome = box.run(launch);
  CHECK(outcome.ending == Ending::not_started);
  CHECK(outcome.stage == wire::Stage::working_dir);
  CHECK(outcome.out.bytes == 0);
}

TEST_CASE("two hundred commands leave no descriptor behind", "[sandbox]") {
  LiveBox box;
  (void)box.run(box.sh("true"));
  const std::size_t before = test::open_descriptors();
  for (int i = 0; i < 200; ++i) {
    LaunchPlan launch;
    launch.argv = {"/bin/true"};
    REQUIRE(box.run(launch).exit_code == 0);
  }
  CHECK(test::open_descriptors() == before);
}

}  // namespace
}  // namespace fathom::sandbox
