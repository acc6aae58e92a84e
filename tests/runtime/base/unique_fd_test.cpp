#include "runtime/base/unique_fd.hpp"

#include "tests/support/catch.hpp"

#include <fcntl.h>

using fathom::UniqueFd;

namespace {
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
UniqueFd open_null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
}  // namespace

TEST_CASE("a descriptor is closed once, by its last owner", "[runtime]") {
  int raw = -1;
  {
    UniqueFd first = open_null();
    raw = first.get();
    UniqueFd second = std::move(first);
    CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move): moved-from is empty, by contract
    CHECK(second.get() == raw);
    CHECK(is_open(raw));
  }
  CHECK_FALSE(is_open(raw));
}

TEST_CASE("assigning closes what was held, releasing keeps it open", "[runtime]") {
  UniqueFd fd = open_null();
  const int first = fd.get();
  UniqueFd other = open_null();
  const int second = other.get();
  fd = std::move(other);
  CHECK_FALSE(is_open(first));
  CHECK(fd.release() == second);
  CHECK(is_open(second));
  ::close(second);
}
