#include "engine/text/pretokenizer.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/pcre2_pattern.hpp"
#include "tests/support/random_text.hpp"
#include "tests/support/source_text.hpp"

#include <random>
#include <string>
#include <vector>

using namespace fathom::engine;
using fathom::test::Pcre2Pattern;

namespace {

std::vector<std::string> pieces_of(std::string_view text) {
  std::vector<std::string> pieces;
  PieceScanner scanner(text);
  for (auto piece = scanner.next(); !piece.empty(); piece = scanner.next())
    pieces.emplace_back(piece);
  return pieces;
}

// The three expressions as the file has them, one inside the pieces of the other.
std::vector<std::string> pieces_by_definition(std::string_view text) {
  static const std::vector<Pcre2Pattern> steps = [] {
    std::vector<Pcre2Pattern> made;
    for (std::string_view step : {kSplitNumbers, kSplitCjk, kSplitWords}) made.emplace_back(step);
    return made;
  }();
  std::vector<std::string_view> pieces{text};
  for (const Pcre2Pattern& step : steps) {
    std::vector<std::string_view> next;
    for (std::string_view piece : pieces)
      for (std::string_view part : step.isolate(piece)) next.push_back(part);
    pieces = std::move(next);
  }
  return {pieces.begin(), pieces.end()};
}

void check(std::string_view text) {
  const std::vector<std::string> found = pieces_of(text);
  const std::vector<std::string> expected = pieces_by_definition(text);
  if (found != expected) CHECK(found == expected);  // Catch writes both out: only when needed
}

std::string without_180e(std::string text) {
  // PCRE2 counts U+180E as a blank; the White_Space property, which the reference uses, does not.
  constexpr std::string_view kVowelSeparator = "\u180e";
  for (auto at = text.find(kVowelSeparator); at != std::string::npos;
       at = text.find(kVowelSeparator))
    text.erase(at, kVowelSeparator.size());
  return text;
}

}  // namespace

TEST_CASE("pieces are words with their blank, numbers by three, runs of signs", "[text]") {
  using Pieces = std::vector<std::string>;
  CHECK(pieces_of("").empty());
  CHECK(pieces_of("Hello, world!") == Pieces{"Hello", ",", " world", "!"});
  CHECK(pieces_of("x=12345;\n\n  return") ==
        Pieces{"x", "=", "123", "45", ";\n\n", " ", " return"});
  CHECK(pieces_of("foo.bar(_x)") == Pieces{"foo", ".bar", "(_", "x", ")"});
  CHECK(pieces_of("a  1") == Pieces{"a", "  ", "1"});
  CHECK(pieces_of("你好ア・イ。") == Pieces{"你好ア", "・", "イ", "。"});
  CHECK(pieces_of(" \n \n  x") == Pieces{" \n \n", " ", " x"});
}

TEST_CASE("the scanner finds the pieces that PCRE2 finds with the three expressions", "[text]") {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i)
    check(without_180e(fathom::test::random_unicode(random, 1 + random() % 40)));
  check(without_180e(fathom::test::random_unicode(random, 20'000)));
}

TEST_CASE("the scanner finds PCRE2's pieces in real code and prose", "[text]") {
  check(fathom::test::source_text(600'000));
}

TEST_CASE("a byte that is not UTF-8 is a piece of its own, and the pieces are the text", "[text]") {
  CHECK(pieces_of("ab\xFFzz \xE4\xB8") ==
        std::vector<std::string>{"ab", "\xFF", "zz", " ", "\xE4", "\xB8"});
  std::mt19937 random(2);
  for (int i = 0; i < 5'000; ++i) {
    const std::string text = fathom::test::random_damaged(random, 1 + random() % 30);
    std::string joined;
    for (const std::string& piece : pieces_of(text)) joined += piece;
    if (joined != text) CHECK(joined == text);
  }
}

TEST_CASE("a long run of one character takes one pass", "[text]") {
  for (std::string_view run : {"a", " ", "\n", "!", "\x01", "1", "你", "\xFF"}) {
    std::string text;
    while (text.size() < 2'000'000) text += run;
    std::size_t size = 0;
    for (PieceScanner scanner(text);;) {
      const std::string_view piece = scanner.next();
      if (piece.empty()) break;
      size += piece.size();
    }
    CHECK(size == text.size());
  }
}
