// The classes of characters that the pre-tokenizer's expressions tell apart, for all of Unicode.
#pragma once

#include <array>
#include <cstdint>

namespace fathom::engine {

enum class CharClass : std::uint8_t {
  other,    ///< control, format, private and unassigned code points
  letter,   ///< \p{L}
  mark,     ///< \p{M}
  number,   ///< \p{N}
  symbol,   ///< \p{P} and \p{S}
  space,    ///< \s but for the two below: the White_Space property
  newline,  ///< \r and \n
};

/// All of Unicode in 140 pages of 256. Built once, 40 KB, then only read.
class UnicodeClasses {
 public:
  static const UnicodeClasses& get();

  /// Of a code point up to U+10FFFF.
  [[nodiscard]] CharClass of(char32_t value) const {
    return pages_[page_of_[value >> 8]][value & 0xFF];
  }
  /// Of a byte below 0x80, whose page is the first.
  [[nodiscard]] CharClass of_ascii(char c) const { return pages_[0][static_cast<std::uint8_t>(c)]; }

 private:
  UnicodeClasses();

  static constexpr std::size_t kPagesMax = 160;

  using Page = std::array<CharClass, 256>;
  std::array<std::uint8_t, 0x1100> page_of_{};
  std::array<Page, kPagesMax> pages_{};
};

}  // namespace fathom::engine
