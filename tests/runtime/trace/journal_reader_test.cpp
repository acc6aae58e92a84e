#include "runtime/trace/journal_reader.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/journal_fixture.hpp"

#include <fstream>

using namespace fathom;
using namespace fathom::trace;
using test::JournalFixture;

TEST_CASE("a reader at the end goes on when the file grows, also by half a line", "[runtime]") {
  JournalFixture fixture;
  fixture.fill(2);
  const std::string whole = test::slurp(fixture.path);
  const std::size_t first = whole.find('\n') + 1;
  fixture.dir.write("run.jsonl", whole.substr(0, first));
  JournalReader reader = JournalReader::open(fixture.path).value();
  CHECK(reader.next().value()->at.seq == 1);
  CHECK_FALSE(reader.next().value().has_value());
  std::ofstream(fixture.path, std::ios::app) << whole.substr(first, 10);
  CHECK_FALSE(reader.next().value().has_value());
  CHECK(reader.unfinished_bytes() == 10);
  std::ofstream(fixture.path, std::ios::app) << whole.substr(first + 10);
  CHECK(reader.next().value()->at.seq == 2);
  CHECK_FALSE(reader.next().value().has_value());
}

TEST_CASE("damage is reported with file, offset, last good seq and reason", "[runtime]") {
  JournalFixture fixture;
  fixture.fill(3);
  std::string text = test::slurp(fixture.path);
  const std::size_t second = text.find('\n') + 1;
  text[second + 40] ^= 1;
  fixture.dir.write("run.jsonl", text);
  JournalReader reader = JournalReader::open(fixture.path).value();
  CHECK(reader.next().value()->at.seq == 1);
  const auto damage = reader.next();
  REQUIRE_FALSE(damage.has_value());
  CHECK(damage.error().message ==
        "journal " + fixture.path.string() + ": damaged at byte " + std::to_string(second) +
            " (after seq 1): event field 'xxh3': the checksum does not match: "
            "the line was damaged or edited");
  CHECK_FALSE(reader.is_torn_tail().value());
}

TEST_CASE("a gap, a repetition, another run or stream in the file is damage", "[runtime]") {
  JournalFixture fixture;
  fixture.fill(3);
  const std::string text = test::slurp(fixture.path);
  const std::size_t second = text.find('\n') + 1;
  const std::size_t third = text.find('\n', second) + 1;
  for (const std::string& broken : {text.substr(0, second) + text.substr(third),
                                    text.substr(0, second) + text, text.substr(second)}) {
    fixture.dir.write("run.jsonl", broken);
    JournalReader reader = JournalReader::open(fixture.path).value();
    Result<std::optional<Event>> event = reader.next();
    while (event && *event) event = reader.next();
    REQUIRE_FALSE(event.has_value());
    CHECK(event.error().message.find("does not follow") != std::string::npos);
  }
}

TEST_CASE("lines longer than an event can be are damage, however long", "[runtime]") {
  JournalFixture fixture;
  fixture.fill(1);
  const std::string good = test::slurp(fixture.path);
  for (const std::size_t size : {kEventBytesMax - 1, kEventBytesMax, kEventBytesMax * 5}) {
    fixture.dir.write("run.jsonl", std::string(size, 'x') + "\n" + good);
    JournalReader reader = JournalReader::open(fixture.path).value();
    CHECK(reader.next().error().code == ErrorCode::bad_data);
    CHECK_FALSE(reader.is_torn_tail().value());
  }
}

TEST_CASE("a large file is read through one small buffer", "[runtime]") {
  JournalFixture fixture;
  fixture.fill(5000);
  JournalReader reader = JournalReader::open(fixture.path).value();
  std::uint64_t count = 0;
  while (auto event = reader.next().value()) CHECK(event->at.seq == ++count);
  CHECK(count == 5000);
  CHECK(reader.offset() == std::filesystem::file_size(fixture.path));
}

TEST_CASE("an absent file is named", "[runtime]") {
  CHECK(JournalReader::open("/no/such.jsonl").error() ==
        Error{ErrorCode::not_found, "open journal /no/such.jsonl: No such file or directory"});
}
