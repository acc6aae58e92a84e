// WordStream: a model's words as they come, for a terminal. However the stream is cut into pieces,
// the pieces it gives are together the same text.
#pragma once

#include "agents/cli/run_view_style.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::agents {

/// What of a text has come, to tell later whether that was all of it; of any length in few bytes.
class SeenText {
 public:
  void add(std::string_view piece);
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// Whether `text` begins with what has come.
  [[nodiscard]] bool is_start_of(std::string_view text) const;

 private:
  std::uint64_t bytes_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325;  // FNV-1a: not against an attacker, against losses
};

/// Control characters are made visible, line ends and tabs stay. Line ends at the beginning and the
/// end are left out and at most one empty line is kept between others.
class WordStream {
 public:
  enum class Look : std::uint8_t { plain, dim };
  explicit WordStream(Look look) : look_(look) {}

  /// What to print now. `piece` is well-formed UTF-8.
  [[nodiscard]] std::string feed(std::string_view piece, const ViewStyle& style);
  /// Ends the block of words: what was held back. The line is not ended.
  [[nodiscard]] std::string end(const ViewStyle& style);
  /// Something of this block was fed that is no blank.
  [[nodiscard]] bool has_begun() const { return begun_; }

 private:
  void take(std::string& out, std::string_view run, const ViewStyle& style);

  Look look_;
  bool begun_ = false;
  std::size_t line_ends_ = 0;  // held back: they count when more comes
  std::string word_;           // held back in a colour, so that a cut does not move the colours
};

/// Counts the words of a text that comes in pieces.
class WordCount {
 public:
  void add(std::string_view piece);
  [[nodiscard]] std::uint64_t words() const { return words_; }

 private:
  std::uint64_t words_ = 0;
  bool inside_ = false;
};

}  // namespace fathom::agents
