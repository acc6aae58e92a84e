#include "tests/support/run_in_child.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace fathom::test {

Death run_in_child(const std::function<void(int)>& body) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe failed");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    // Catch's own handler would write its report into the parent's output.
    static_cast<void>(std::signal(SIGABRT, SIG_DFL));
    ::dup2(ends[1], STDERR_FILENO);
    body(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  Death death;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    death.output.append(buffer.data(), static_cast<std::size_t>(got));
  ::close(ends[0]);
  if (::waitpid(child, &death.status, 0) != child) throw std::runtime_error("waitpid failed");
  return death;
}

}  // namespace fathom::test
