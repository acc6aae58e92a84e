// Kills a process that writes a journal, at random points under load, and holds the journal to its
// promise.
#include "runtime/base/unique_fd.hpp"
#include "runtime/trace/journal_reader.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/journal_fixture.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <random>

using namespace fathom;
using test::JournalFixture;

namespace {

struct Killee {
  pid_t pid = -1;
  UniqueFd acknowledgements;
};

Killee start(const std::filesystem::path& journal) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string program = FATHOM_JOURNAL_KILLEE;
  std::string path = journal.string();
  std::array<char*, 3> argv = {program.data(), path.data(), nullptr};
  Killee killee;
  REQUIRE(::posix_spawn(&killee.pid, program.c_str(), &actions, nullptr, argv.data(), environ) ==
          0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  killee.acknowledgements.reset(ends[0]);
  return killee;
}

// The last acknowledged seq when `stop_after` acknowledgements were seen and the process is dead.
std::uint64_t kill_after(Killee killee, std::uint64_t stop_after) {
  std::uint64_t last = 0;
  std::uint64_t value = 0;
  bool killed = false;
  std::uint64_t seen = 0;
  for (;;) {
    const ssize_t got = ::read(killee.acknowledgements.get(), &value, sizeof value);
    if (got < 0 && errno == EINTR) continue;
    if (got != sizeof value) break;  // 8 bytes are written to a pipe at once or not at all
    last = value;
    if (++seen >= stop_after && !killed) {
      ::kill(killee.pid, SIGKILL);
      killed = true;  // go on reading: what was acknowledged before the kill counts too
    }
  }
  int status = 0;
  REQUIRE(::waitpid(killee.pid, &status, 0) == killee.pid);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
  return last;
}

}  // namespace

TEST_CASE("every acknowledged event survives SIGKILL at random points, and the next open works",
          "[runtime][e2e]") {
  const char* text = std::getenv("FATHOM_KILLS");
  const std::uint64_t kills = text ? std::strtoull(text, nullptr, 10) : 50;
  std::mt19937_64 random(1);
  JournalFixture fixture;
  std::uint64_t torn = 0;
  for (std::uint64_t i = 0; i < kills; ++i) {
    // Every tenth starts anew; the others go on with what the last one left.
    if (i % 10 == 0) std::filesystem::remove(fixture.path);
    const std::uint64_t acknowledged = kill_after(start(fixture.path), 1 + random() % 400);
    INFO("kill " << i << ", acknowledged " << acknowledged);
    auto journal = fixture.open();
    REQUIRE(journal.has_value());
    CHECK((*journal)->last_seq() >= acknowledged);
    torn += (*journal)->recovered().has_value();
  }
  WARN(kills << " kills, " << torn << " torn tails recovered");
}
