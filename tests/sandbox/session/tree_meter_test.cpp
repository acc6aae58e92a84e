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
