#include "runtime/base/ensure.hpp"

#include "tests/support/catch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

namespace {

struct Death {
  int status = 0;
  std::string output;
};

// Runs `body` in a child whose stderr is a pipe, and tells how it died. The test process has one
// thread, so fork is safe here; nothing of the product forks.
template <class Body>
Death run_in_child(Body body) {
  std::array<int, 2> pipe_fds{};
  REQUIRE(::pipe(pipe_fds.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // Catch installs its own reporter, which would write into the parent's output.
    std::signal(SIGABRT, SIG_DFL);
    ::dup2(pipe_fds[1], 2);
    body(pipe_fds[1]);
    ::_exit(0);
  }
  ::close(pipe_fds[1]);
  Death death;
  std::array<char, 4096> buffer{};
  for (ssize_t got; (got = ::read(pipe_fds[0], buffer.data(), buffer.size())) > 0;)
    death.output.append(buffer.data(), static_cast<std::size_t>(got));
  ::close(pipe_fds[0]);
  REQUIRE(::waitpid(child, &death.status, 0) == child);
  return death;
}

void write_flushed(void* context) {
  const int fd = *static_cast<int*>(context);
  [[maybe_unused]] const auto wrote = ::write(fd, "flushed\n", 8);
}

}  // namespace

TEST_CASE("a broken promise prints where and why, flushes, and aborts", "[runtime]") {
  const Death death = run_in_child([](int out) {
    const fathom::CrashFlushRegistration registration(write_flushed, &out);
    ENSURE(1 + 1 == 3, "arithmetic holds");
  });
  CHECK(WIFSIGNALED(death.status));
  CHECK(WTERMSIG(death.status) == SIGABRT);
  CHECK(death.output.find("ensure_test.cpp:") != std::string::npos);
  CHECK(death.output.find("ENSURE(1 + 1 == 3): arithmetic holds\n") != std::string::npos);
  CHECK(death.output.ends_with("flushed\n"));
}

TEST_CASE("a flush that is gone, or fails itself, does not stop the abort", "[runtime]") {
  const Death death = run_in_child([](int out) {
    {
      const fathom::CrashFlushRegistration gone(write_flushed, &out);
    }
    const fathom::CrashFlushRegistration bad([](void*) { ENSURE(false, "a flush fails"); },
                                             nullptr);
    ENSURE(false, "first");
  });
  CHECK(WTERMSIG(death.status) == SIGABRT);
  CHECK(death.output.find("first\n") != std::string::npos);
  CHECK(death.output.find("a flush fails\n") != std::string::npos);
  CHECK(death.output.find("flushed") == std::string::npos);
}

TEST_CASE("a kept promise costs nothing visible", "[runtime]") {
  ENSURE(true, "nothing happens");
  SUCCEED();
}
