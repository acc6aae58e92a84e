#include "runtime/trace/journal.hpp"

#include "runtime/async/task_group.hpp"
#include "runtime/base/file.hpp"
#include "runtime/trace/journal_reader.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/file_size_limit.hpp"
#include "tests/support/journal_fixture.hpp"
#include "tests/support/run_in_child.hpp"
#include "tests/support/skip.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <sched.h>
#include <sys/mount.h>

#include <set>

using namespace fathom;
using namespace fathom::trace;
using test::draft;
using test::JournalFixture;

namespace {

std::vector<Event> read_all(const std::filesystem::path& path) {
  JournalReader reader = JournalReader::open(path).value();
  std::vector<Event> events;
  while (auto event = reader.next().value()) events.push_back(std::move(*event));
  return events;
}

}  // namespace

TEST_CASE("what was appended is read back, counted from 1 without a gap", "[runtime]") {
  JournalFixture fixture;
  {
    auto journal = fixture.open().value();
    CHECK(journal->append(draft("run.started")).value() == Position{1, 0});
    CHECK(journal->append(draft("tool.started", R"({"name":"bash"})")).value() == Position{2, 0});
    REQUIRE(journal->flush().has_value());
  }
  {
    auto journal = fixture.open().value();
    CHECK(journal->last_seq() == 2);
    CHECK_FALSE(journal->recovered().has_value());
    CHECK(journal->append(draft("run.finished")).value() == Position{3, 0});
  }
  const auto events = read_all(fixture.path);
  REQUIRE(events.size() == 3);
  CHECK(events[1].what == draft("tool.started", R"({"name":"bash"})"));
  CHECK(events[2].at == Position{3, 0});
  CHECK(events[2].run == test::some_run());
}

TEST_CASE("ephemeral events stand behind the durable one and are not stored", "[runtime]") {
  JournalFixture fixture;
  auto journal = fixture.open().value();
  std::vector<Position> heard;
  journal->set_listener(
      {.published = {}, .ephemeral = [&](Position at, std::string_view) { heard.push_back(at); }});
  CHECK(journal->append(draft("heartbeat")).value() == Position{0, 1});
  CHECK(journal->append(draft("run.started")).value() == Position{1, 0});
  CHECK(journal->append(draft("model.delta")).value() == Position{1, 1});
  CHECK(journal->append(draft("model.delta")).value() == Position{1, 2});
  CHECK(journal->append(draft("run.finished")).value() == Position{2, 0});
  REQUIRE(journal->flush().has_value());
  CHECK(heard == std::vector<Position>{{0, 1}, {1, 1}, {1, 2}});
  CHECK(read_all(fixture.path).size() == 2);
}

TEST_CASE("the buffer is written at the next turn of the event loop without being asked",
          "[runtime]") {
  JournalFixture fixture;
  auto journal = fixture.open().value();
  (void)journal->append(draft("run.started")).value();
  CHECK(read_all(fixture.path).empty());
  fixture.sim.run_until_idle();
  CHECK(read_all(fixture.path).size() == 1);
}

TEST_CASE("a journal that is gone before its scheduled write leaves nothing dangling",
          "[runtime]") {
  JournalFixture fixture;
  (void)fixture.open().value()->append(draft("run.started")).value();
  fixture.sim.run_until_idle();
  CHECK(read_all(fixture.path).size() == 1);
}

TEST_CASE("one sync serves everybody who waits, and afterwards all of it is in the file",
          "[runtime]") {
  JournalFixture fixture;
  asio::io_context io{1};
  auto journal = Journal::open({io.get_executor(), fixture.sim.clock(), fixture.pool}, fixture.path,
                               test::some_run())
                     .value();
  int synced = 0;
  const auto appender = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 20; ++i) {
      (void)journal->append(draft("tool.started")).value();
      const auto done = co_await journal->sync();
      if (done) ++synced;
    }
  };
  const auto all = [&]() -> asio::awaitable<void> {
    TaskGroup group(io.get_executor());
    for (int i = 0; i < 10; ++i) group.spawn(appender());
    co_await group.join();
  };
  asio::co_spawn(io, all(), [](std::exception_ptr e) { CHECK_FALSE(e); });
  io.run();
  CHECK(synced == 200);
  CHECK(journal->syncs() < 100);  // ten appenders wait at a time: one sync serves most of them
  CHECK(read_all(fixture.path).size() == 200);
}

TEST_CASE("a program that dies of a broken promise leaves its last events in the journal",
          "[runtime]") {
  const test::TempDir dir;
  const auto path = dir / "run.jsonl";
  const test::Death death = test::run_in_child([&](int) {
    OffloadPool pool;
    Simulator sim(1);
    auto journal =
        Journal::open({sim.executor(), sim.clock(), pool}, path, test::some_run()).value();
    for (int i = 0; i < 100; ++i) (void)journal->append(draft("tool.started")).value();
    ENSURE(false, "the world is flat");
  });
  CHECK(death.output.find("the world is flat") != std::string::npos);
  CHECK(read_all(path).size() == 100);
}

TEST_CASE("a second writer is refused while the first lives", "[runtime]") {
  JournalFixture fixture;
  auto journal = fixture.open().value();
  CHECK(fixture.open().error() ==
        Error{ErrorCode::in_use,
              "journal " + fixture.path.string() + ": another process is writing to it"});
  journal.reset();
  CHECK(fixture.open().has_value());
}

TEST_CASE("the journal of another run, and a folder, are refused by name", "[runtime]") {
  JournalFixture fixture;
  fixture.fill(1);
  RunId other = test::some_run();
  other.value.bytes[15] ^= 1;
  const auto opened = Journal::open(fixture.services(), fixture.path, other);
  CHECK(opened.error().message.find("belongs to run 01ARZ3NDEKTSV4RRFFQ69G5FAV stream main") !=
        std::string::npos);
  CHECK_FALSE(Journal::open(fixture.services(), fixture.dir.path(), other).has_value());
  CHECK(Journal::open(fixture.services(), fixture.dir / "no/such/dir", other).error().code ==
        ErrorCode::not_found);
}

TEST_CASE("a journal cut at any byte opens with its whole lines and keeps the rest aside",
          "[runtime]") {
  JournalFixture fixture;
  fixture.fill(2);
  const std::string whole = test::slurp(fixture.path);
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    INFO("cut at " << cut);
    fixture.dir.write("run.jsonl", whole.substr(0, cut));
    auto opened = fixture.open();
    REQUIRE(opened.has_value());
    auto& journal = *opened;
    const auto lines = static_cast<std::uint64_t>(
        std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut), '\n'));
    const std::size_t good = lines == 0 ? 0 : whole.rfind('\n', cut - 1) + 1;
    CHECK(journal->last_seq() == lines);
    CHECK(journal->recovered().has_value() == (cut != good));
    if (journal->recovered()) {
      CHECK(journal->recovered()->offset == good);
      CHECK(test::slurp(journal->recovered()->saved_as) == whole.substr(good, cut - good));
    }
    (void)journal->append(draft("run.finished")).value();
    journal.reset();
    REQUIRE(read_all(fixture.path).size() == lines + 1);
  }
}

TEST_CASE("a journal with any bit flipped is refused with the offset and left as it is",
          "[runtime]") {
  JournalFixture fixture;
  fixture.fill(4);
  const std::string whole = test::slurp(fixture.path);
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    const std::size_t line = i == 0 ? 0 : whole.rfind('\n', i - 1) + 1;
    for (int bit = 0; bit < 8; ++bit) {
      INFO("byte " << i << " bit " << bit);
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      fixture.dir.write("run.jsonl", damaged);
      const auto opened = fixture.open();
      REQUIRE_FALSE(opened.has_value());
      CHECK(opened.error().code == ErrorCode::bad_data);
      CHECK(opened.error().message.find("damaged at byte " + std::to_string(line) + " ") !=
            std::string::npos);
      CHECK(test::slurp(fixture.path) == damaged);
    }
  }
  // The very last byte, the final line's end, is the one that an interrupted write can leave
  // missing.
  std::string damaged = whole;
  damaged.back() = 'x';
  fixture.dir.write("run.jsonl", damaged);
  CHECK(fixture.open().value()->last_seq() == 3);
}

TEST_CASE("a tail of zeros, as a power loss leaves it, is cut off; a foreign file is left alone",
          "[runtime]") {
  JournalFixture fixture;
  fixture.fill(3);
  const std::string whole = test::slurp(fixture.path);
  fixture.dir.write("run.jsonl", whole + std::string(200'000, '\0'));
  CHECK(fixture.open().value()->last_seq() == 3);
  CHECK(test::slurp(fixture.path) == whole);

  fixture.dir.write("run.jsonl", std::string(17 << 20, 'x'));
  CHECK(fixture.open().error().message.find("no event in the last") != std::string::npos);
  CHECK(std::filesystem::file_size(fixture.path) == 17u << 20);
}

TEST_CASE("a write that fails in the background is told to the next append, and heals",
          "[runtime]") {
  JournalFixture fixture;
  auto journal = fixture.open().value();
  const test::FileSizeLimit limit(500);
  std::uint64_t accepted = 0;
  Error error;
  for (int i = 0; i < 10; ++i) {
    const auto appended = journal->append(draft("tool.started"));
    fixture.sim.run_until_idle();  // the scheduled write
    if (!appended) {
      error = appended.error();
      break;
    }
    ++accepted;
  }
  CHECK(error.message.starts_with("write journal " + fixture.path.string() + ": "));
  CHECK(accepted == 3);  // two lines fit, and the third was half written before the failure showed
  CHECK(std::filesystem::file_size(fixture.path) == 500);
  limit.lift();
  CHECK(journal->append(draft("run.finished")).value() == Position{accepted + 1, 0});
  journal.reset();
  CHECK(read_all(fixture.path).size() == accepted + 1);
}

TEST_CASE("without a turn of the loop the buffer keeps its bound when nothing can be written",
          "[runtime]") {
  JournalFixture fixture;
  auto journal = fixture.open().value();
  const test::FileSizeLimit limit(100'000);
  std::uint64_t accepted = 0;
  while (journal->append(draft("tool.started"))) REQUIRE(++accepted < 10'000);
  CHECK_FALSE(journal->flush().has_value());
  limit.lift();
  REQUIRE(journal->flush().has_value());
  CHECK(std::filesystem::file_size(fixture.path) < Journal::kBatchBytes + kEventBytesMax);
  CHECK(read_all(fixture.path).size() == accepted);
}

TEST_CASE("a disk without space is reported as such and nothing accepted is lost",
          "[runtime][e2e]") {
  const test::TempDir dir;
  // A small tmpfs in a mount namespace of a child's own: as root, or as root of a user namespace.
  const test::Death child = test::run_in_child([&](int out) {
    const auto say = [&](const std::string& text) { (void)write_all(out, text, "pipe"); };
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
      return say("no namespace");
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount("none", dir.path().c_str(), "tmpfs", 0, "size=64k") != 0) return say("no tmpfs");
    OffloadPool pool;
    Simulator sim(1);
    const auto path = dir / "run.jsonl";
    auto journal =
        Journal::open({sim.executor(), sim.clock(), pool}, path, test::some_run()).value();
    std::uint64_t accepted = 0;
    Result<Position> last = Position{};
    while ((last = journal->append(draft("tool.started")))) ++accepted;
    say(last.error().message + " " + std::string(name_of(last.error().code)) + "\n");
    ::mount("none", dir.path().c_str(), nullptr, MS_REMOUNT, "size=10m");
    (void)journal->flush().value();
    if (read_all(path).size() == accepted) say("all there\n");
  });
  if (child.output.starts_with("no ")) {
    test::skip("no " + child.output.substr(3) +
               " to be had here: a truly full disk was not tested");
    return;
  }
  CHECK(child.output == "write journal " + (dir / "run.jsonl").string() +
                            ": No space left on device (free some; nothing is lost yet) disk_full\n"
                            "all there\n");
}

TEST_CASE("a journal that is destroyed with events it cannot write says so", "[runtime]") {
  const test::TempDir dir;
  const test::Death child = test::run_in_child([&](int) {
    OffloadPool pool;
    Simulator sim(1);
    auto journal =
        Journal::open({sim.executor(), sim.clock(), pool}, dir / "j", test::some_run()).value();
    (void)journal->append(draft("tool.started")).value();
    const test::FileSizeLimit limit(0);
    journal.reset();
  });
  CHECK(child.output.find("of the journal are lost") != std::string::npos);
}

TEST_CASE("the sparse index finds the mark before any seq", "[runtime]") {
  JournalIndex index;
  CHECK(index.floor(1000).offset == 0);
  index.add({256, 5000});
  index.add({512, 9000});
  CHECK(index.floor(0).offset == 0);
  CHECK(index.floor(255).offset == 0);
  CHECK(index.floor(256).offset == 5000);
  CHECK(index.floor(511).offset == 5000);
  CHECK(index.floor(99999).seq == 512);
}
