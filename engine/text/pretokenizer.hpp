// The first half of the tokenizer: cuts text into pieces, inside which byte pairs are then merged.
//
// The checkpoint's tokenizer.json asks for three regular expressions, each run inside the pieces
// that the one before left (matches and what lies between them both stay):
//
//   1  \p{N}{1,3}
//   2  [一-龥぀-ゟ゠-ヿ]+
//   3  [!-/:-@[-`{-~][A-Za-z]+ | [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+ | ?[\p{P}\p{S}]+[\r\n]*
//      | \s*[\r\n]+ | \s+(?!\S) | \s+
//
// Run as written they cost more than all the merging. But none looks back, and what 1 and 2 match
// ends a stretch in which 3 may look ahead; so one scan with a few characters of look-ahead finds
// the same pieces. pretokenizer_test holds it to PCRE2 running the three expressions.
//
// A byte that is not UTF-8 is a piece of its own and ends such a stretch: Python never shows the
// reference one, so this is ours to decide, and the text survives encoding and decoding.
#pragma once

#include "engine/text/unicode_class.hpp"

#include <cstddef>
#include <string_view>

namespace fathom::engine {

/// The three expressions as tokenizer.json spells them, in order.
inline constexpr std::string_view kSplitNumbers = R"(\p{N}{1,3})";
inline constexpr std::string_view kSplitCjk = "[一-龥぀-ゟ゠-ヿ]+";
inline constexpr std::string_view kSplitWords =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// Walks the pieces of a text, which must outlive it. Together they are the text.
class PieceScanner {
 public:
  explicit PieceScanner(std::string_view text)
      : begin_(text.data()), end_(begin_ + text.size()), at_(begin_) {}

  /// The next piece; empty at the end.
  [[nodiscard]] std::string_view next();

 private:
  enum class Stretch : std::uint8_t { words, cjk };

  // What stands somewhere, as the third expression sees it: size 0 is the end of its stretch.
  struct Char {
    CharClass kind = CharClass::other;
    std::uint8_t size = 0;
  };

  template <Stretch stretch>
  [[nodiscard]] Char look(const char* at) const;
  template <Stretch stretch>
  [[nodiscard]] const char* match(const char* at) const;
  template <Stretch stretch>
  [[nodiscard]] const char* match_blanks(const char* at) const;
  template <Stretch stretch>
  [[nodiscard]] const char* skip(const char* at, bool (*wanted)(CharClass)) const;
  template <Stretch stretch>
  [[nodiscard]] const char* end_of_piece(const char* at) const;
  [[nodiscard]] const char* end_of_number(const char* at) const;

  const UnicodeClasses& classes_ = UnicodeClasses::get();
  const char* begin_;
  const char* end_;
  const char* at_;
};

}  // namespace fathom::engine
