#include "engine/text/pretokenizer.hpp"

#include "engine/text/utf8.hpp"

namespace fathom::engine {
namespace {

constexpr int kDigitsMax = 3;  // of the first expression

bool is_ascii_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// The second expression's ranges.
bool is_cjk(char32_t value) {
  return (value >= 0x4E00 && value <= 0x9FA5) || (value >= 0x3040 && value <= 0x30FF);
}

bool is_word(CharClass kind) { return kind == CharClass::letter || kind == CharClass::mark; }
bool is_symbol(CharClass kind) { return kind == CharClass::symbol; }
bool is_newline(CharClass kind) { return kind == CharClass::newline; }

// [^\r\n\p{L}\p{P}\p{S}]
bool may_lead_word(CharClass kind) {
  return kind == CharClass::space || kind == CharClass::other || kind == CharClass::mark;
}

}  // namespace

template <PieceScanner::Stretch stretch>
PieceScanner::Char PieceScanner::look(const char* at) const {
  if (at == end_) return {};
  if (static_cast<std::uint8_t>(*at) < 0x80) {  // most of what agents read
    const CharClass kind = classes_.of_ascii(*at);
    if (stretch == Stretch::cjk || kind == CharClass::number) return {};
    return {kind, 1};
  }
  const CodePoint point = decode_utf8(at, end_);
  if (point.value == CodePoint::kIllFormed) return {};
  if (is_cjk(point.value) != (stretch == Stretch::cjk)) return {};
  const CharClass kind = classes_.of(point.value);
  if (kind == CharClass::number) return {};
  return {kind, point.size};
}

template <PieceScanner::Stretch stretch>
const char* PieceScanner::skip(const char* at, bool (*wanted)(CharClass)) const {
  for (Char here = look<stretch>(at); here.size > 0 && wanted(here.kind); here = look<stretch>(at))
    at += here.size;
  return at;
}

// \s*[\r\n]+ | \s+(?!\S) | \s+ of the third expression, on at least one blank.
template <PieceScanner::Stretch stretch>
const char* PieceScanner::match_blanks(const char* at) const {
  const char* const first = at;
  const char* behind_newline = nullptr;
  const char* last = at;
  Char here = look<stretch>(at);
  for (; here.kind == CharClass::space || here.kind == CharClass::newline;
       here = look<stretch>(at)) {
    last = at;
    at += here.size;
    if (here.kind == CharClass::newline) behind_newline = at;
  }
  if (behind_newline) return behind_newline;
  // The last blank before a word belongs to the word, unless it is the only one.
  return here.size == 0 || last == first ? at : last;
}

// Where the third expression's match at `at` ends, or `at` when it does not match there.
template <PieceScanner::Stretch stretch>
const char* PieceScanner::match(const char* at) const {
  const Char here = look<stretch>(at);
  const char* next = at + here.size;
  if (here.kind == CharClass::symbol) {
    if (here.size == 1 && next != end_ && is_ascii_letter(*next)) {
      while (next != end_ && is_ascii_letter(*next)) ++next;
      return next;
    }
    return skip<stretch>(skip<stretch>(next, is_symbol), is_newline);
  }
  if (is_word(here.kind)) return skip<stretch>(next, is_word);
  const Char behind = look<stretch>(next);
  if (may_lead_word(here.kind) && is_word(behind.kind)) return skip<stretch>(next, is_word);
  if (*at == ' ' && behind.kind == CharClass::symbol)
    return skip<stretch>(skip<stretch>(next, is_symbol), is_newline);
  if (here.kind == CharClass::other) return at;
  return match_blanks<stretch>(at);
}

// What does not match is one piece up to where the expression matches again.
template <PieceScanner::Stretch stretch>
const char* PieceScanner::end_of_piece(const char* at) const {
  const char* end = match<stretch>(at);
  if (end != at) return end;
  do {
    at += look<stretch>(at).size;
  } while (look<stretch>(at).size > 0 && match<stretch>(at) == at);
  return at;
}

const char* PieceScanner::end_of_number(const char* at) const {
  for (int digits = 0; digits < kDigitsMax && at != end_; ++digits) {
    const CodePoint point = decode_utf8(at, end_);
    if (point.value == CodePoint::kIllFormed || classes_.of(point.value) != CharClass::number)
      break;
    at += point.size;
  }
  return at;
}

std::string_view PieceScanner::next() {
  if (at_ == end_) return {};
  const char* from = at_;
  const CodePoint point = decode_utf8(at_, end_);
  const char* end = from + 1;
  if (point.value == CodePoint::kIllFormed) {
    // one byte
  } else if (is_cjk(point.value)) {
    end = end_of_piece<Stretch::cjk>(from);
  } else if (classes_.of(point.value) == CharClass::number) {
    end = end_of_number(from);
  } else {
    end = end_of_piece<Stretch::words>(from);
  }
  at_ = end;
  return {from, static_cast<std::size_t>(end - from)};
}

}  // namespace fathom::engine
