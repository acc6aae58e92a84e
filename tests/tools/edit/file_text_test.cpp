#include "tools/edit/file_text.hpp"

#include "runtime/base/text.hpp"
#include "tests/support/catch.hpp"

#include <random>

using namespace fathom;
using namespace fathom::tools;

TEST_CASE("lines are counted as an editor counts them", "[tools]") {
  CHECK(count_lines("") == 0);
  CHECK(count_lines("a") == 1);
  CHECK(count_lines("a\n") == 1);
  CHECK(count_lines("a\n\nb") == 3);
  CHECK(line_at("a\nb\n", 0) == 1);
  CHECK(line_at("a\nb\n", 1) == 1);
  CHECK(line_at("a\nb\n", 2) == 2);
  CHECK(line_begin("a\nb\nc", 3) == 4);
  CHECK(line_begin("a\n", 9) == 2);
  CHECK(line_end("a\nb", 0) == 2);
  CHECK(line_end("a\nb", 2) == 3);
}

TEST_CASE("a place takes the line end that follows it, else the one before", "[tools]") {
  const std::string mixed = "a\r\nb\nc";
  CHECK(line_ending_at(mixed, 0) == LineEnding::crlf);
  CHECK(line_ending_at(mixed, 3) == LineEnding::lf);
  CHECK(line_ending_at("a\r\nb", 3) == LineEnding::crlf);
  CHECK(line_ending_at("a", 0) == LineEnding::lf);
}

TEST_CASE("text takes a line end whole and leaves a lone carriage return alone", "[tools]") {
  CHECK(with_line_ending("a\nb\r\nc\rd", LineEnding::crlf) == "a\r\nb\r\nc\rd");
  CHECK(with_line_ending("a\nb\r\nc\rd", LineEnding::lf) == "a\nb\nc\rd");
}

TEST_CASE("a splice changes the bytes that it names and no other", "[tools]") {
  CHECK(spliced("abcdef", {2, 2, "XYZ"}) == "abXYZef");
  CHECK(spliced("", {0, 0, "x"}) == "x");
}

TEST_CASE("what is no text is shown as its bytes", "[tools]") {
  CHECK(shown_line("caf\xC3\xA9\t!\r\n") == "café\t!");
  CHECK(shown_line("a\xFFz\x1b[31m\x7f") == "a\\xffz\\x1b[31m\\x7f");
  CHECK(shown_line("\xC2\x9B") == "\\xc2\\x9b");
  CHECK(shown_line("\xC2\xA0") == "\xC2\xA0");
  CHECK(shown_line("abcdef", 4) == "abcd … [2 bytes more]");
}

TEST_CASE("a shown line is one line of valid UTF-8 whatever the bytes", "[tools]") {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string line;
    for (std::size_t size = random() % 24; size > 0; --size)
      line += static_cast<char>(random() % 3 == 0 ? 0x80 + random() % 128 : random() % 128);
    const std::string shown = shown_line(line, 1 + random() % 24);
    REQUIRE(find_invalid_utf8(shown) == std::string::npos);
    REQUIRE(shown.find_first_of("\r\n\x1b") == std::string::npos);
  }
}

TEST_CASE("numbered lines stop before the bound, but never before the first", "[tools]") {
  LineNumbering numbering(9, 20);
  CHECK(numbering.add("a line longer than all"));
  CHECK_FALSE(numbering.add("b"));
  CHECK(numbering.next_line() == 10);
  CHECK(numbering.take() == "     9\ta line longer than all\n");
}
