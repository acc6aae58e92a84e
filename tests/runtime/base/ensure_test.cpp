#include "runtime/base/ensure.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_in_child.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using fathom::test::Death;
using fathom::test::run_in_child;

namespace {

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
