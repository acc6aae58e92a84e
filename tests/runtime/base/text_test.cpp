#include "runtime/base/text.hpp"

#include "tests/support/catch.hpp"

#include <array>
#include <random>

using namespace fathom;

namespace {

// An independent decoder, written from the definition (RFC 3629) instead of the byte table: decode,
// then check that the code point is allowed and that this is its shortest form.
bool is_valid_utf8_by_definition(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    std::size_t size = lead < 0x80         ? 1
                       : (lead >> 5) == 6  ? 2
                       : (lead >> 4) == 14 ? 3
                       : (lead >> 3) == 30 ? 4
                                           : 0;
    if (size == 0 || i + size > text.size()) return false;
    std::uint32_t point = size == 1 ? lead : lead & (0x7fu >> size);
    for (std::size_t k = 1; k < size; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if ((byte >> 6) != 2) return false;
      point = (point << 6) | (byte & 0x3f);
    }
    const std::size_t shortest = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (shortest != size || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += size;
  }
  return true;
}

std::string random_bytes(std::mt19937& random, std::size_t size_max) {
  // Bytes near the boundaries of the table are far more likely to be interesting than uniform ones.
  constexpr std::string_view kEdges =
      "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff";
  std::string text(random() % (size_max + 1), ' ');
  for (char& c : text)
    c = random() % 4 == 0 ? static_cast<char>(random()) : kEdges[random() % kEdges.size()];
  return text;
}

}  // namespace

TEST_CASE("UTF-8 validity agrees with its definition on random bytes", "[runtime]") {
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const std::string text = random_bytes(random, 12);
    const bool valid = find_invalid_utf8(text) == std::string_view::npos;
    if (valid != is_valid_utf8_by_definition(text)) FAIL(to_printable(text));
    const std::string mended = to_valid_utf8(text);
    if (!is_valid_utf8_by_definition(mended)) FAIL(to_printable(text));
    if (valid && mended != text) FAIL(to_printable(text));
  }
}

TEST_CASE("the first ill-formed byte is found where it stands", "[runtime]") {
  CHECK(find_invalid_utf8("plain ASCII of more than eight bytes") == std::string_view::npos);
  CHECK(find_invalid_utf8("schön \xff") == 7);
  CHECK(find_invalid_utf8("12345678\xed\xa0\x80") == 8);  // a surrogate
  CHECK(find_invalid_utf8("cut \xf0\x9f\x98") == 4);
}

TEST_CASE("replacement follows maximal subparts", "[runtime]") {
  CHECK(to_valid_utf8("a\xf0\x9f\x98z") == "a\uFFFDz");
  CHECK(to_valid_utf8("\xc0\xaf") == "\uFFFD\uFFFD");
  CHECK(to_valid_utf8("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41") == "\uFFFD\uFFFD\uFFFD\uFFFD\x41");
}

TEST_CASE("clipping never cuts a code point and never exceeds the bound", "[runtime]") {
  std::mt19937 random(2);
  for (int i = 0; i < 100'000; ++i) {
    const std::string text =
        i % 2 ? to_valid_utf8(random_bytes(random, 20)) : random_bytes(random, 20);
    const std::size_t bound = random() % 24;
    const std::string_view prefix = clip_prefix(text, bound);
    const std::string_view suffix = clip_suffix(text, bound);
    if (prefix.size() > bound || suffix.size() > bound) FAIL(to_printable(text));
    if (!text.starts_with(prefix) || !text.ends_with(suffix)) FAIL(to_printable(text));
    if (text.size() > bound && bound >= prefix.size() + 4)
      FAIL("lost a whole code point: " + to_printable(text));
    if (text.size() > bound && bound >= suffix.size() + 4)
      FAIL("lost a whole code point: " + to_printable(text));
    if (i % 2 && (!is_valid_utf8_by_definition(prefix) || !is_valid_utf8_by_definition(suffix)))
      FAIL(to_printable(text));
    if (clip_middle(text, bound).size() > bound && text.size() > bound) FAIL(to_printable(text));
  }
  CHECK(clip_prefix("añb", 2) == "a");
  CHECK(clip_prefix("añb", 3) == "añ");
  CHECK(clip_suffix("añb", 2) == "b");
  CHECK(clip_suffix("añb", 3) == "ñb");
}

TEST_CASE("clip_middle keeps both ends and counts what it cut", "[runtime]") {
  const std::string text = std::string(400, 'h') + std::string(400, 't');
  const std::string clipped = clip_middle(text, 200);
  CHECK(clipped.size() <= 200);
  CHECK(clipped.starts_with("hhhh"));
  CHECK(clipped.ends_with("tttt"));
  CHECK(clipped.find(" bytes cut]") != std::string::npos);
  CHECK(clip_middle("short", 200) == "short");
}

TEST_CASE("printable text holds nothing a terminal would act on", "[runtime]") {
  CHECK(to_printable("a\x1b[31mred\n\xff\xc2\x9bz\x7f ü") ==
        "a\\x1b[31mred\\x0a\\xff\\xc2\\x9bz\\x7f ü");
}

TEST_CASE("the nearest name is offered only when it is near", "[runtime]") {
  constexpr std::array<std::string_view, 3> kNames = {"allow", "deny", "replay"};
  CHECK(nearest("alow", kNames) == "allow");
  CHECK(nearest("repaly", kNames) == "replay");
  CHECK(nearest("dney", kNames) == "deny");
  CHECK(nearest("xyz", kNames).empty());
  CHECK(nearest(std::string(10'000, 'a'), kNames).empty());
}

TEST_CASE("byte counts are read by people", "[runtime]") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1536) == "1.5 KiB");
  CHECK(format_bytes(24ull << 30) == "24.0 GiB");
}
