#include "tests/support/random_text.hpp"

#include "engine/text/utf8.hpp"

#include <array>
#include <string_view>

namespace fathom::test {
namespace {

// Where the pre-tokenizer's classes meet: each line is one kind.
constexpr std::array<std::u32string_view, 14> kKinds = {
    U"abcxyzABCXYZ",
    U"0123456789",
    U"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    U" ",
    U" \t\v\f\u0085\u00a0\u1680\u2003\u2028\u202f\u3000",
    U"\r\n",
    U"\u4e00\u4f60\u597d\u9fa5\u9fa6\u3041\u30a2\u30fb\u30fc\u3040\u3099\u309b\u30ff\u3100",
    U"éßñждλאبहไ한글ƻʰ",
    U"\u0301\u0308\u093e\u0e31\u20dd\ufe0f",
    U"²½٣Ⅷ①〇௧\U0001d7d8",
    U"¡«»—…、。€©→∑˚\U0001f4a1\U0001f3fd",
    U"\u200b\u200d\u2060\ufeff\u00ad\U000e0001",
    U"\u0001\u001b\u007f\u0000\ue000\U0010fffd\u0378",
    U"｜▁<think>｜DSML｜</",
};

char32_t any_code_point(std::mt19937& random) {
  for (;;) {
    const auto value = static_cast<char32_t>(random() % (random() % 2 == 0 ? 0x3000 : 0x110000));
    if (value < 0xD800 || value > 0xDFFF) return value;
  }
}

}  // namespace

std::string random_unicode(std::mt19937& random, std::size_t characters) {
  std::string text;
  while (characters > 0) {
    const std::u32string_view kind = kKinds[random() % kKinds.size()];
    const std::size_t run = 1 + random() % 4;
    for (std::size_t i = 0; i < run && characters > 0; ++i, --characters) {
      const bool any = random() % 32 == 0;
      engine::append_utf8(text, any ? any_code_point(random) : kind[random() % kind.size()]);
    }
  }
  return text;
}

std::string random_damaged(std::mt19937& random, std::size_t characters) {
  std::string text = random_unicode(random, characters);
  for (std::size_t hits = 1 + random() % 4; hits > 0 && !text.empty(); --hits) {
    const std::size_t at = random() % text.size();
    if (random() % 2 == 0) {
      text[at] = static_cast<char>(random());
    } else {
      text.erase(at, 1);
    }
  }
  return text;
}

}  // namespace fathom::test
