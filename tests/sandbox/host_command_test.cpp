#include "sandbox/host_command.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>

namespace fathom::test {
namespace {

using sandbox::host_command_output;
using std::chrono::milliseconds;

std::string failure(const std::vector<std::string>& argv,
                    milliseconds time = milliseconds(20'000)) {
  const auto out = host_command_output(argv, {.time = time});
  REQUIRE_FALSE(out);
  return out.error().message;
}

std::vector<std::string> shell(std::string script) { return {"sh", "-c", std::move(script)}; }

TEST_CASE("a command of the host says its output, without a shell or input", "[unit]") {
  CHECK(host_command_output({"printf", "%s", "$HOME; a  b"}).value() == "$HOME; a  b");
  CHECK(host_command_output({"cat"}).value().empty());
  CHECK(host_command_output(shell("echo out; echo err >&2")).value() == "out\n");
}

TEST_CASE("it has the user's environment without the keys of engines", "[unit]") {
  ::setenv("DEEPSEEK_API_KEY", "secret", 1);
  ::setenv("WORK_MODEL", "secret", 1);
  ::setenv("FATHOM_HOST_COMMAND_TEST", "there", 1);
  const std::string variables =
      host_command_output({"env"}, {.hidden_variables = {"WORK_MODEL"}}).value();
  ::unsetenv("DEEPSEEK_API_KEY");
  ::unsetenv("WORK_MODEL");
  ::unsetenv("FATHOM_HOST_COMMAND_TEST");
  CHECK(variables.contains("FATHOM_HOST_COMMAND_TEST=there\n"));
  CHECK_FALSE(variables.contains("secret"));
}

TEST_CASE("a command of the host that fails says why, and never its output", "[unit]") {
  CHECK(failure({"fathom-no-such-program"}) ==
        "fathom-no-such-program: there is no such program on the PATH");
  CHECK(failure(shell("echo hidden; echo no such entry >&2; exit 3")) ==
        "sh: ended with exit code 3: no such entry");
  CHECK(failure(shell("kill -TERM $$")) == "sh: ended with signal 15");
  CHECK(failure({}) == "no program is named");
  CHECK(failure({"head", "-c", "20000", "/dev/zero"}) == "head: says more than 16384 bytes");
  CHECK(failure({"yes"}) == "yes: says more than 16384 bytes");
  CHECK(host_command_output(shell("yes >&2 & echo key")).value() == "key\n");
}

TEST_CASE("a command of the host that hangs ends with all it started", "[unit]") {
  const TempDir dir;
  const std::string gate = (dir / "gate").string();
  REQUIRE(::mkfifo(gate.c_str(), 0600) == 0);
  const UniqueFd watched(::open(gate.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const std::string why = failure(
      shell("exec 3> " + gate + "; echo waiting >&2; sleep 600 & sleep 600"), milliseconds(300));
  CHECK(why == "sh: not done after 300 ms (it gets no terminal to ask on): waiting");
  // Its other end was held by three processes: it is closed when the last of them is gone.
  pollfd left{.fd = watched.get(), .events = POLLIN, .revents = 0};
  CHECK(::poll(&left, 1, 10'000) == 1);
  CHECK((left.revents & POLLHUP) != 0);
}

TEST_CASE("what a command leaves in the background does not keep it waiting", "[unit]") {
  // One that waited for the end of its output would say that it took too long.
  CHECK(host_command_output(shell("sleep 600 & echo key")).value() == "key\n");
}

}  // namespace
}  // namespace fathom::test
