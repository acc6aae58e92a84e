// Reading what test runners print: lines of any length, text of any bytes, places of failures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

/// Valid UTF-8 without terminal escapes and control characters but line feed and tab, without
/// blank ends; head and tail stay when it is longer than `bytes_max`.
std::string clean_text(std::string_view text, std::size_t bytes_max);
/// The same in one line: line feeds and tabs are spaces. The head stays.
std::string clean_line(std::string_view text, std::size_t bytes_max);

struct Location {
  std::string file;
  std::uint32_t line = 0;

  friend bool operator==(const Location&, const Location&) = default;
};

/// The first place in a source file that `text` names (`a/b.cpp:12`, `b.cpp(12)`, `File "a.py",
/// line 12`, `at t/a.t line 12`), passing over those of language runtimes and packages. A Python
/// trace names the failing line last. Empty when there is none.
Location find_location(std::string_view text);

/// A stack's line that is inside a runtime, a package or a test library: nobody fixes those.
bool is_foreign_frame(std::string_view line);

std::string_view trimmed(std::string_view text);
/// The text behind `prefix`, when it starts with it.
std::optional<std::string_view> behind(std::string_view text, std::string_view prefix);
/// Digits at the start of `text`, which is moved behind them; nothing when there are none or they
/// are more than 9.
std::optional<std::uint32_t> take_number(std::string_view& text);
/// A number with an optional fraction and thousands separators; 0 when it is none or absurd.
double seconds_of(std::string_view text);
std::vector<std::string_view> lines_of(std::string_view text);
/// At most `lines_max` lines of `text`.
std::string_view first_lines(std::string_view text, std::size_t lines_max);

/// Appends a line to what is kept for a case, until that is full.
void append_line(std::string& kept, std::string_view line, std::size_t bytes_max);

inline constexpr std::size_t kReportLineBytesMax = 1UL << 20;  // longer lines lose their end

/// Cuts a stream into lines, whatever the pieces it comes in. Pure: `take(line)` for every line,
/// without its line feed and a carriage return before it.
class LineReader {
 public:
  template <class Take>
  void feed(std::string_view bytes, Take take) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      const std::string_view piece = bytes.substr(0, end);
      if (end == std::string_view::npos) return keep(piece);
      if (kept_.empty()) {
        take(bare(piece.substr(0, kReportLineBytesMax)));
      } else {
        keep(piece);
        take(bare(kept_));
        kept_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
  }
  /// The last line, when no line feed ended it.
  template <class Take>
  void finish(Take take) {
    if (!kept_.empty()) take(bare(kept_));
    kept_.clear();
  }

 private:
  void keep(std::string_view piece) {
    kept_ += piece.substr(0, kReportLineBytesMax - kept_.size());
  }
  static std::string_view bare(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  std::string kept_;  ///< of a line whose end is still to come; at most kReportLineBytesMax
};

}  // namespace fathom::tools
