#include "tests/tidy/lexer.hpp"

#include <algorithm>
#include <string>

namespace fathom::tidy {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }
bool starts_identifier(char c) {
  // Bytes from 0x80 are letters of some language; outside strings and comments nothing else is.
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool continues_identifier(char c) { return starts_identifier(c) || is_digit(c); }

bool is_string_prefix(std::string_view word) {
  return word == "u8" || word == "u" || word == "U" || word == "L";
}
bool is_raw_prefix(std::string_view word) {
  return word.ends_with('R') &&
         (word.size() == 1 || is_string_prefix(word.substr(0, word.size() - 1)));
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) step();
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

  // A backslash at the end of a line continues it. Its size, 0 when there is none.
  [[nodiscard]] std::size_t splice(std::size_t at) const {
    if (text_.substr(at).starts_with("\\\n")) return 2;
    if (text_.substr(at).starts_with("\\\r\n")) return 3;
    return 0;
  }

  void step() {
    const char c = peek();
    if (c == '\n') {
      ++at_;
      ++line_;
      in_directive_ = false;
      line_is_empty_ = true;
    } else if (const std::size_t size = splice(at_)) {
      at_ += size;
      ++line_;
    } else if (is_space(c)) {
      ++at_;
    } else if (c == '/' && (peek(1) == '/' || peek(1) == '*')) {
      comment();
    } else if (c == '#' && line_is_empty_) {
      directive();
    } else {
      line_is_empty_ = false;
      word_or_mark();
    }
  }

  void word_or_mark() {
    const char c = peek();
    if (starts_identifier(c)) {
      identifier();
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number();
    } else if (c == '"' || c == '\'') {
      quoted(at_);
    } else {
      const bool two_bytes = rest().starts_with("::") || rest().starts_with("->");
      add(TokenKind::punctuation, at_, at_ + (two_bytes ? 2 : 1));
    }
  }

  // Emits text_[from, to) and moves behind it.
  void add(TokenKind kind, std::size_t from, std::size_t to) {
    const std::string_view text = text_.substr(from, to - from);
    tokens_.push_back({kind, text, line_, in_directive_});
    line_ += static_cast<int>(std::ranges::count(text, '\n'));
    at_ = to;
  }

  void comment() {
    if (peek(1) == '*') {
      const std::size_t close = text_.find("*/", at_ + 2);
      add(TokenKind::comment, at_, close == std::string_view::npos ? text_.size() : close + 2);
      return;
    }
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != '\n') end += std::max<std::size_t>(1, splice(end));
    add(TokenKind::comment, at_, std::min(end, text_.size()));
  }

  void directive() {
    in_directive_ = true;
    line_is_empty_ = false;
    ++at_;
    while (is_space(peek())) ++at_;
    const std::size_t from = at_;
    while (continues_identifier(peek())) ++at_;
    const std::string_view name = text_.substr(from, at_ - from);
    add(TokenKind::directive, from, at_);
    if (name != "include" && name != "include_next" && name != "import") return;
    while (is_space(peek())) ++at_;
    if (peek() != '<' && peek() != '"') return;
    const char close = peek() == '<' ? '>' : '"';
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != close && text_[end] != '\n') ++end;
    if (end < text_.size() && text_[end] == close) ++end;
    add(TokenKind::header_name, at_, end);
  }

  void identifier() {
    const std::size_t from = at_;
    std::size_t end = at_;
    while (end < text_.size() && continues_identifier(text_[end])) ++end;
    const std::string_view word = text_.substr(from, end - from);
    const char next = end < text_.size() ? text_[end] : '\0';
    if (next == '"' && is_raw_prefix(word)) {
      raw_string(end + 1);
    } else if ((next == '"' || next == '\'') && is_string_prefix(word)) {
      quoted(end);
    } else {
      add(TokenKind::identifier, from, end);
    }
  }

  void number() {
    std::size_t end = at_;
    while (end < text_.size()) {
      const char c = text_[end];
      const char before = end > at_ ? text_[end - 1] : '\0';
      const bool exponent = before == 'e' || before == 'E' || before == 'p' || before == 'P';
      const bool sign = (c == '+' || c == '-') && exponent;
      const bool separator =
          c == '\'' && end + 1 < text_.size() && continues_identifier(text_[end + 1]);
      if (!continues_identifier(c) && c != '.' && !sign && !separator) break;
      ++end;
    }
    add(TokenKind::number, at_, end);
  }

  // A string or character literal whose opening quote stands at `quote`; one left open ends with
  // its line.
  void quoted(std::size_t quote) {
    const char close = text_[quote];
    std::size_t end = quote + 1;
    while (end < text_.size() && text_[end] != close && text_[end] != '\n') {
      const std::size_t spliced = splice(end);
      end += spliced > 0 ? spliced : text_[end] == '\\' ? 2 : 1;
    }
    end = std::min(end, text_.size());
    if (end < text_.size() && text_[end] == close) ++end;
    add(close == '"' ? TokenKind::string : TokenKind::character, at_, end);
  }

  // R"mark( … )mark", with `open` behind the quote.
  void raw_string(std::size_t open) {
    const std::size_t paren = text_.find('(', open);
    std::size_t end = text_.size();
    if (paren != std::string_view::npos) {
      const std::string close = ")" + std::string(text_.substr(open, paren - open)) + "\"";
      const std::size_t found = text_.find(close, paren);
      if (found != std::string_view::npos) end = found + close.size();
    }
    add(TokenKind::string, at_, end);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool in_directive_ = false;
  bool line_is_empty_ =
      true;  ///< nothing but space and comments so far, so that `#` opens a directive
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> lex(std::string_view text) { return Lexer(text).run(); }

std::vector<Token> without_comments(const std::vector<Token>& tokens) {
  std::vector<Token> code;
  std::ranges::copy_if(tokens, std::back_inserter(code),
                       [](const Token& token) { return token.kind != TokenKind::comment; });
  return code;
}

}  // namespace fathom::tidy
