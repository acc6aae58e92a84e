// The measured trees are real ones: a child of this test, with children of its own, that lives
// until the test is done with it.
#include "sandbox/tree_meter.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <functional>
#include <thread>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kFilledBytes = 16UL << 20;

// Runs `body` in a new process, returns when it has said that it is ready, and goes on in it until
// somebody kills it. Grandchildren go with their parent.
pid_t start(const std::function<void()>& body) {
  std::array<int, 2> ready{};
  if (::pipe2(ready.data(), O_CLOEXEC) != 0) return -1;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  ::close(ready[1]);
  char byte = 0;
  const bool said = ::read(ready[0], &byte, 1) == 1;
  ::close(ready[0]);
  return said ? pid : -1;
}

struct Tree {
  pid_t pid;
  explicit Tree(const std::function<void()>& body) : pid(start(body)) { REQUIRE(pid > 0); }
  ~Tree() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
};

void fill_memory() {
  void* memory =
      ::mmap(nullptr, kFilledBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) std::memset(memory, 1, kFilledBytes);
}

TEST_CASE("a tree's processes and their memory are counted", "[sandbox]") {
  const Tree tree([] {
    for (int i = 0; i < 3; ++i) start(fill_memory);
  });
  const TreeUse use = measure_tree(tree.pid);
  CHECK(use.processes == 4);
  CHECK(use.memory_bytes >= 3 * kFilledBytes);
}

// Until it has used so much itself: a clock on the wall would depend on who else is busy.
void burn(long ms) {
  timespec used{};
  do {
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  } while (used.tv_sec * 1'000 + used.tv_nsec / 1'000'000 < ms);
}

TEST_CASE("processor time of live processes and of those that were waited for is counted",
          "[sandbox]") {
  constexpr long kBurned = 120;
  const Tree tree([] {
    const pid_t child = ::fork();
    if (child == 0) {
      burn(kBurned);
      ::_exit(0);
    }
    (void)::waitpid(child, nullptr, 0);
    burn(kBurned);
  });
  CHECK(measure_tree(tree.pid).cpu.count() >= 2 * kBurned - 40);  // in ticks of 10 ms, cut off
}

TEST_CASE("children of a thread that is not the first are counted too", "[sandbox]") {
  const Tree tree([] {
    std::array<int, 2> done{};
    (void)!::pipe2(done.data(), O_CLOEXEC);
    std::thread([done] {
      start(fill_memory);
      (void)!::write(done[1], "x", 1);
      for (;;) ::pause();  // its child goes with it
    }).detach();
    char byte = 0;
    (void)!::read(done[0], &byte, 1);
  });
  const TreeUse use = measure_tree(tree.pid);
  CHECK(use.processes == 2);
  CHECK(use.memory_bytes >= kFilledBytes);
}

TEST_CASE("what ended children wrote still counts", "[sandbox]") {
  const test::TempDir dir;
  struct statfs where{};
  REQUIRE(::statfs(dir.path().c_str(), &where) == 0);
  if (where.f_type == TMPFS_MAGIC)
    return test::skip("the folder for temporary files is in memory: nothing is written to storage");
  const std::string path = (dir / "file").string();
  const Tree tree([&path] {
    const pid_t writer = ::fork();
    if (writer == 0) {
      const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      const std::string bytes(1 << 20, 'x');
      const bool written = ::write(fd, bytes.data(), bytes.size()) > 0 && ::fsync(fd) == 0;
      ::_exit(written ? 0 : 1);
    }
    ::waitpid(writer, nullptr, 0);
  });
  CHECK(measure_tree(tree.pid).written_bytes >= 1 << 20);
}

bool is_in_memory(const test::TempDir& dir) {
  struct statfs where{};
  REQUIRE(::statfs(dir.path().c_str(), &where) == 0);
  return where.f_type == TMPFS_MAGIC;
}

// File systems stamp births with this clock, which stands still between two ticks.
std::pair<time_t, long> tick() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return {now.tv_sec, now.tv_nsec};
}

TEST_CASE("space that is only allocated counts, of a file without a name too", "[sandbox]") {
  const test::TempDir dir;
  if (is_in_memory(dir)) return test::skip("the folder for temporary files is in memory: no disk");
  constexpr std::uint64_t kAllocated = 8UL << 20;
  const std::string old = (dir / "old").string();
  dir.write("old", std::string(1 << 20, 'x'));
  const auto born = tick();
  while (tick() == born) continue;
  AllocationMeter meter;
  CHECK(meter.measure(999'999'999) == 0);
  const Tree tree([&] {
    const int made = ::open((dir / "new").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)!::fallocate(made, FALLOC_FL_KEEP_SIZE, 0, kAllocated);
    ::unlink((dir / "new").c_str());
    (void)::open(old.c_str(), O_RDWR | O_CLOEXEC);
  });
  const std::uint64_t used = meter.measure(tree.pid);
  if (used == 0) return test::skip("this file system allocates nothing ahead");
  CHECK(used >= kAllocated);
  CHECK(used < kAllocated + (1 << 20));  // what stood there before is not the tree's
  CHECK(measure_tree(tree.pid).written_bytes < kAllocated);
}

TEST_CASE("a process that is not there uses nothing") {
  CHECK(measure_tree(999'999'999) == TreeUse{});
}

TEST_CASE("a pidfd leads to its process while it lives", "[sandbox]") {
  UniqueFd pidfd;
  {
    const Tree tree([] {});
    pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, tree.pid, 0)));
    REQUIRE(pidfd);
    CHECK(pid_of(pidfd.get()) == tree.pid);
  }
  CHECK(pid_of(pidfd.get()) == -1);
  CHECK(pid_of(-1) == -1);
}

}  // namespace
}  // namespace fathom::sandbox
