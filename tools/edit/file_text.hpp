// The bytes of a text file as lines: where they begin and end, what ends them, and how they are
// shown. Pure. A file is never decoded and written back: edits are splices of its bytes, so what
// they do not name (a byte order mark, mixed line ends, bytes that are no UTF-8) cannot change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace fathom::tools {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// 0, or the size of the mark that the file begins with.
[[nodiscard]] std::size_t mark_bytes(std::string_view file);

enum class LineEnding : std::uint8_t { lf, crlf };

/// What ends the lines where `offset` is: the next line end at or behind it, else the last one
/// before it; lf for a file of one open line.
[[nodiscard]] LineEnding line_ending_at(std::string_view file, std::size_t offset);

/// `text` with every "\n" and "\r\n" as `ending`. A lone "\r" is no line end.
[[nodiscard]] std::string with_line_ending(std::string_view text, LineEnding ending);

/// The line, from 1, that holds the byte at `offset`.
[[nodiscard]] std::size_t line_at(std::string_view file, std::size_t offset);

/// Lines as an editor counts them: "a\n" and "a" have one, "" has none.
[[nodiscard]] std::size_t count_lines(std::string_view file);

/// The first byte of the `line`-th line, from 1; the size of the file when it has fewer.
[[nodiscard]] std::size_t line_begin(std::string_view file, std::size_t line);

/// Behind the line end of the line that holds `offset`, or the size of the file.
[[nodiscard]] std::size_t line_end(std::string_view file, std::size_t offset);

/// Replace `length` bytes at `offset` by `text`.
struct Splice {
  std::size_t offset = 0;
  std::size_t length = 0;
  std::string text;

  friend bool operator==(const Splice&, const Splice&) = default;
};

[[nodiscard]] std::string spliced(std::string_view file, const Splice& splice);

inline constexpr std::size_t kShownLineBytesMax =
    2'000;  // a minified file is one line of megabytes

/// One line as a model sees it: its end left out, bytes that are no UTF-8 and control characters
/// but tabs as \xNN; what is longer is cut and counted with the `unread` bytes that followed.
[[nodiscard]] std::string shown_line(std::string_view line,
                                     std::size_t bytes_max = kShownLineBytesMax,
                                     std::size_t unread = 0);

/// Writes numbered lines as `cat -n` does, which models were trained on, until it is full.
class LineNumbering {
 public:
  LineNumbering(std::size_t first_line, std::size_t bytes_max)
      : next_(first_line), bytes_max_(bytes_max) {}

  /// False when the line does not fit any more, and nothing was written then; the first one always
  /// fits. `unread` bytes of it are not in `line`, which then has more than kShownLineBytesMax.
  bool add(std::string_view line, std::size_t unread = 0);

  [[nodiscard]] std::size_t next_line() const { return next_; }
  [[nodiscard]] std::size_t escaped_lines() const { return escaped_; }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::size_t next_;
  std::size_t bytes_max_;
  std::size_t escaped_ = 0;  ///< with bytes shown as \xNN
  std::string text_;
};

}  // namespace fathom::tools
