// Cuts C++ into tokens, just well enough for rules that must not be fooled by comments and strings.
//
// A parser would be exact and would need the compile command of every file; the rules need neither.
// The lexer keeps the things that break regular expressions: raw strings, digit separators, line
// splices, header names in angle brackets. Any bytes are accepted: what is not C++ becomes
// punctuation.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace fathom::tidy {

enum class TokenKind : std::uint8_t {
  identifier,   ///< keywords too
  number,       ///< a preprocessing number: 1'000, 0x1p-3, 1.5f
  string,       ///< with its quotes and prefix; raw strings too
  character,    ///< with its quotes
  comment,      ///< with its marks, without the end of the line
  header_name,  ///< behind #include: <x> or "x", with its marks
  directive,    ///< the name behind `#`, such as `include`; empty for a lone `#`
  punctuation,  ///< one byte, except `::` and `->`
};

struct Token {
  TokenKind kind{};
  std::string_view text;  ///< into the text that was lexed
  int line = 0;           ///< of its first byte, from 1
  bool in_directive = false;

  friend bool operator==(const Token&, const Token&) = default;
};

/// Every token of `text`, in order. The tokens refer to `text`.
[[nodiscard]] std::vector<Token> lex(std::string_view text);

/// Without the comments: what the compiler acts on.
[[nodiscard]] std::vector<Token> without_comments(const std::vector<Token>& tokens);

}  // namespace fathom::tidy
