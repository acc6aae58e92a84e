#include "agents/cli/line_reader.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <pty.h>
#include <unistd.h>

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

using namespace fathom;
using namespace fathom::agents;

namespace {

// Another standard input for as long as this lives.
class StandardInput {
 public:
  explicit StandardInput(int fd) : saved_(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) {
    REQUIRE(saved_);
    REQUIRE(::dup2(fd, STDIN_FILENO) == STDIN_FILENO);
  }
  ~StandardInput() { ::dup2(saved_.get(), STDIN_FILENO); }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

 private:
  UniqueFd saved_;
};

// A terminal to type into.
struct Keyboard {
  UniqueFd master;
  UniqueFd slave;

  Keyboard() {
    int master_fd = -1;
    int slave_fd = -1;
    REQUIRE(::openpty(&master_fd, &slave_fd, nullptr, nullptr, nullptr) == 0);
    master.reset(master_fd);
    slave.reset(slave_fd);
    ::fcntl(master_fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(slave_fd, F_SETFD, FD_CLOEXEC);
  }
  void type(std::string_view keys) const {
    REQUIRE(::write(master.get(), keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }
};

std::optional<std::string> next_of(LineReader& reader, asio::io_context& io) {
  std::optional<std::string> line;
  std::exception_ptr error;
  asio::co_spawn(io, reader.next(), [&](std::exception_ptr failed, std::optional<std::string> got) {
    error = failed;
    line = std::move(got);
  });
  io.restart();
  io.run();
  if (error) std::rethrow_exception(error);
  return line;
}

}  // namespace

TEST_CASE("typed lines come one at a time and without their ends", "[agents]") {
  const Keyboard keyboard;
  const StandardInput input(keyboard.slave.get());
  asio::io_context io;
  LineReader reader(io.get_executor());
  CHECK(reader.is_person());
  keyboard.type("first\n\nthird one\n");
  CHECK(next_of(reader, io) == "first");
  CHECK(next_of(reader, io) == "");
  CHECK(next_of(reader, io) == "third one");
}

TEST_CASE("a terminal that hangs up ends the lines", "[agents]") {
  Keyboard keyboard;
  const StandardInput input(keyboard.slave.get());
  asio::io_context io;
  LineReader reader(io.get_executor());
  keyboard.type("last\n");
  CHECK(next_of(reader, io) == "last");
  keyboard.master.reset();
  CHECK(next_of(reader, io) == std::nullopt);
}

TEST_CASE("ctrl-d ends the lines", "[agents]") {
  const Keyboard keyboard;
  const StandardInput input(keyboard.slave.get());
  asio::io_context io;
  LineReader reader(io.get_executor());
  keyboard.type("\x04");
  CHECK(next_of(reader, io) == std::nullopt);
}

TEST_CASE("a standard input that is no terminal is left alone", "[agents]") {
  int ends[2] = {-1, -1};
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  REQUIRE(::write(in.get(), "x\n", 2) == 2);
  const StandardInput input(out.get());
  asio::io_context io;
  LineReader reader(io.get_executor());
  CHECK_FALSE(reader.is_person());
  CHECK(next_of(reader, io) == std::nullopt);
  char byte = 0;
  CHECK(::read(out.get(), &byte, 1) == 1);
  CHECK(byte == 'x');
}

// Standard output is the same opening of the terminal: were it made non-blocking, a long patch
// would be cut where the terminal is slower than the program, and so would what the shell runs
// next.
TEST_CASE("reading leaves the terminal as blocking as it was for all who share it", "[agents]") {
  const Keyboard keyboard;
  const StandardInput input(keyboard.slave.get());
  asio::io_context io;
  {
    LineReader reader(io.get_executor());
    keyboard.type("x\n");
    CHECK(next_of(reader, io) == "x");
    CHECK((::fcntl(keyboard.slave.get(), F_GETFL) & O_NONBLOCK) == 0);
  }
  CHECK((::fcntl(keyboard.slave.get(), F_GETFL) & O_NONBLOCK) == 0);
}
