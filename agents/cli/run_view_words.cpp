#include "agents/cli/run_view_words.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <utility>

namespace fathom::agents {
namespace {

constexpr std::size_t kLineEndsMax = 2;
constexpr std::size_t kWordBytesMax = 64;  // languages without blanks and base64 must come too
constexpr std::uint64_t kFnvPrime = 0x100000001b3;
constexpr std::string_view kBlanks = " \t\n\r";

}  // namespace

void SeenText::add(std::string_view piece) {
  bytes_ += piece.size();
  for (const char c : piece) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * kFnvPrime;
}

bool SeenText::is_start_of(std::string_view text) const {
  if (text.size() < bytes_) return false;
  SeenText start;
  start.add(text.substr(0, bytes_));
  return start.hash_ == hash_;
}

// `run` has no line end and no tab.
void WordStream::take(std::string& out, std::string_view run, const ViewStyle& style) {
  if (look_ == Look::plain) {
    out += shown(run);
    return;
  }
  while (!run.empty()) {
    const std::size_t blank = std::min(run.find(' '), run.size());
    std::string_view word = run.substr(0, blank);
    while (!word.empty()) {
      // Code point by code point: where the word is broken must not hang on how it came.
      std::size_t size = 1;
      while (size < word.size() && (static_cast<unsigned char>(word[size]) & 0xC0U) == 0x80) ++size;
      word_ += word.substr(0, size);
      word.remove_prefix(size);
      if (word_.size() >= kWordBytesMax)
        out += style.painted(Colour::dim, shown(std::exchange(word_, {})));
    }
    run.remove_prefix(blank);
    if (run.empty()) break;
    out += style.painted(Colour::dim, shown(std::exchange(word_, {})));
    out += ' ';
    run.remove_prefix(1);
  }
}

std::string WordStream::feed(std::string_view piece, const ViewStyle& style) {
  std::string out;
  while (!piece.empty()) {
    if (!begun_) {
      const std::size_t first = piece.find_first_not_of(kBlanks);
      if (first == std::string_view::npos) break;
      piece.remove_prefix(first);
      begun_ = true;
    }
    const std::size_t stop = std::min(piece.find_first_of("\n\t\r"), piece.size());
    if (stop > 0) {
      out.append(std::exchange(line_ends_, 0), '\n');
      take(out, piece.substr(0, stop), style);
    }
    piece.remove_prefix(stop);
    if (piece.empty()) break;
    if (piece[0] != '\r') out += style.painted(Colour::dim, shown(std::exchange(word_, {})));
    if (piece[0] == '\n') line_ends_ = std::min(line_ends_ + 1, kLineEndsMax);
    if (piece[0] == '\t') {
      out.append(std::exchange(line_ends_, 0), '\n');
      out += '\t';
    }
    piece.remove_prefix(1);
  }
  return out;
}

std::string WordStream::end(const ViewStyle& style) {
  std::string out = style.painted(Colour::dim, shown(std::exchange(word_, {})));
  begun_ = false;
  line_ends_ = 0;
  return out;
}

void WordCount::add(std::string_view piece) {
  for (const char c : piece) {
    const bool is_blank = kBlanks.find(c) != std::string_view::npos;
    if (!is_blank && !inside_) ++words_;
    inside_ = !is_blank;
  }
}

}  // namespace fathom::agents
