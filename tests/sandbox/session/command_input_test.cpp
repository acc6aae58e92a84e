// What a command's standard input may be, and that nothing of the host comes along with its bytes.
#include "sandbox/command_input.hpp"

#include "tests/sandbox/session/live_box.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace fathom::sandbox {
namespace {

using test::LiveBox;

Outcome run_with_input(LiveBox& box, const std::string& script, int input) {
  CommandOptions options;
  options.io.input = input;
  return box.run(box.sh(script), options);
}

TEST_CASE("a folder, a path without contents and a terminal are no standard input", "[sandbox]") {
  LiveBox box;
  box.root().write("file", "secret\n");
  const std::string file = (box.root() / "file").string();
  const UniqueFd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd path(::open(file.c_str(), O_PATH | O_CLOEXEC));
  const UniqueFd write_only(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  const UniqueFd terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(folder);
  REQUIRE(path);
  REQUIRE(write_only);
  REQUIRE(terminal);
  const std::array<std::pair<int, std::string>, 4> refused = {
      {{folder.get(), "standard input: a folder, which leads out of the sandbox: give a file"},
       {path.get(), "standard input: a path without contents (O_PATH): open it for reading"},
       {write_only.get(), "standard input: open for writing only: open it for reading"},
       {terminal.get(),
        "standard input: a terminal of the host: let the command run on one of its own"}}};
  for (const auto& [input, why] : refused) {
    const Outcome outcome = run_with_input(box, "ls /proc/self/fd/0/; cat", input);
    CHECK(outcome.ending == Ending::not_started);
    CHECK(outcome.evidence == why);
    CHECK(outcome.out.text().empty());
  }
  CHECK_FALSE(input_kind(1'000'000));
}

TEST_CASE("a file's bytes reach the command, the file does not", "[sandbox]") {
  LiveBox box;
  box.root().write("file", "kept\n");
  const std::string file = (box.root() / "file").string();
  REQUIRE(::chmod(file.c_str(), 0666) == 0);
  const UniqueFd input(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(input);
  const Outcome outcome =
      run_with_input(box,
                     "(echo lost > /proc/self/fd/0) 2>/dev/null; (echo lost >&0) 2>/dev/null; cat;"
                     "test -p /dev/stdin && echo pipe",
                     input.get());
  CHECK(outcome.out.text() == "kept\npipe\n");
  CHECK(test::slurp(file) == "kept\n");
}

TEST_CASE("a long file is fed whole, at the pace of the command that reads it", "[sandbox]") {
  LiveBox box;
  const std::string bytes(3'000'001, 'x');
  box.root().write("file", bytes);
  const UniqueFd input(::open((box.root() / "file").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(input);
  const std::size_t before = test::open_descriptors();
  CHECK(run_with_input(box, "wc -c", input.get()).out.text() == "3000001\n");
  CHECK(test::open_descriptors() == before);
}

TEST_CASE("a command that leaves its input unread ends all the same, and nothing is killed by it",
          "[sandbox]") {
  LiveBox box;
  box.root().write("file", std::string(3'000'000, 'x'));
  const UniqueFd input(::open((box.root() / "file").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(input);
  CHECK(run_with_input(box, "exit 3", input.get()).exit_code == 3);
  CHECK(::lseek(input.get(), 0, SEEK_SET) == 0);
  CHECK(run_with_input(box, "exec <&-; sleep 0.05; exit 4", input.get()).exit_code == 4);
  const UniqueFd endless(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  CHECK(run_with_input(box, "head -c 5 | wc -c", endless.get()).out.text() == "5\n");
}

TEST_CASE("a socket is read for the command, which cannot connect it elsewhere", "[sandbox]") {
  LiveBox box;
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  REQUIRE(::write(theirs.get(), "given\n", 6) == 6);
  theirs.reset();
  const Outcome outcome =
      run_with_input(box, "cat; test -S /dev/stdin || echo no socket", ours.get());
  CHECK(outcome.out.text() == "given\nno socket\n");
  CHECK((::fcntl(ours.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a fifo with a name is read for the command, which cannot write to it", "[sandbox]") {
  LiveBox box;
  const std::string fifo = (box.root() / "fifo").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0666) == 0);
  const UniqueFd input(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  UniqueFd writer(::open(fifo.c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(input);
  REQUIRE(writer);
  REQUIRE(::write(writer.get(), "given\n", 6) == 6);
  writer.reset();
  CHECK(input_kind(input.get()).value() == InputKind::feed);
  CHECK(run_with_input(box, "cat", input.get()).out.text() == "given\n");
}

TEST_CASE("a command whose fed input never ends is over at its deadline, no descriptor is left",
          "[sandbox]") {
  LiveBox box;
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);  // stays open: there is always more to come
  CommandOptions options;
  options.io.input = ours.get();
  options.limits.time = std::chrono::milliseconds(100);
  const std::size_t before = test::open_descriptors();
  CHECK(box.run(box.sh("cat"), options).ending == Ending::deadline);
  CHECK(test::open_descriptors() == before);
}

}  // namespace
}  // namespace fathom::sandbox
