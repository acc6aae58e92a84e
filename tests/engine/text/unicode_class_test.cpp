#include "engine/text/unicode_class.hpp"

#include "engine/text/utf8.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/pcre2_pattern.hpp"

#include <set>
#include <string>

using namespace fathom::engine;

namespace {

// All code points as one text: what lies in which matches of an expression.
class AllCodePoints {
 public:
  AllCodePoints() {
    for (char32_t value = 0; value < 0x110000; ++value) {
      if (value >= 0xD800 && value <= 0xDFFF) continue;
      starts_.emplace_back(text_.size(), value);
      append_utf8(text_, value);
    }
  }

  [[nodiscard]] std::set<char32_t> in(std::string_view expression) const {
    std::set<char32_t> found;
    std::size_t i = 0;
    for (const auto& [at, size] : fathom::test::Pcre2Pattern(expression).matches(text_))
      for (; i < starts_.size() && starts_[i].first < at + size; ++i)
        if (starts_[i].first >= at) found.insert(starts_[i].second);
    return found;
  }

 private:
  std::string text_;
  std::vector<std::pair<std::size_t, char32_t>> starts_;
};

std::set<char32_t> ours(CharClass wanted) {
  std::set<char32_t> found;
  for (char32_t value = 0; value < 0x110000; ++value)
    if (UnicodeClasses::get().of(value) == wanted) found.insert(value);
  return found;
}

}  // namespace

TEST_CASE("each code point's class is what PCRE2 says, but for points one of them does not know",
          "[text]") {
  const AllCodePoints all;
  // A newer PCRE2 knows points that were unassigned in Unicode 14, and PCRE2 8 counts U+180E as a
  // blank, which stopped being one in Unicode 6.3.
  const auto compare = [&](CharClass kind, std::string_view expression) {
    const std::set<char32_t> theirs = all.in(expression);
    const std::set<char32_t> known = ours(kind);
    for (const char32_t value : known)
      if (!theirs.contains(value)) FAIL(expression << " lacks " << static_cast<unsigned>(value));
    for (const char32_t value : theirs) {
      if (known.contains(value) || value == 0x180E) continue;
      if (UnicodeClasses::get().of(value) != CharClass::other)
        FAIL(expression << " has " << static_cast<unsigned>(value));
    }
    CHECK(theirs.size() < known.size() + 20000);
  };
  compare(CharClass::letter, R"(\p{L}+)");
  compare(CharClass::mark, R"(\p{M}+)");
  compare(CharClass::number, R"(\p{N}+)");
  compare(CharClass::symbol, R"([\p{P}\p{S}]+)");
  compare(CharClass::space, R"([^\S\r\n]+)");
  compare(CharClass::newline, R"([\r\n]+)");
}

TEST_CASE("blanks are those of the White_Space property", "[text]") {
  CHECK(ours(CharClass::space) == std::set<char32_t>{0x09,   0x0B,   0x0C,   0x20,   0x85,   0xA0,
                                                     0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004,
                                                     0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A,
                                                     0x2028, 0x2029, 0x202F, 0x205F, 0x3000});
}
