// What `view` shows of a file that comes in pieces: numbered lines of a range, and counts. Pure,
// and bounded in memory whatever the file's size or the length of its lines.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/edit/file_text.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::tools {

/// Of one answer: what a result may have before it is clipped, so that a view ends with a whole
/// line and says how to go on, instead of losing its middle.
inline constexpr std::size_t kViewBytesMax = 23'000;
/// Of the file, to count its lines; of a longer one it is "more than".
inline constexpr std::uint64_t kScanBytesMax = 256ULL << 20;

struct LineRange {
  std::size_t first = 1;
  std::optional<std::size_t> last;  ///< absent: to the end
};

class FileView {
 public:
  explicit FileView(LineRange range) : range_(range), numbering_(range.first, kViewBytesMax) {}

  /// False when there is nothing to learn from the rest of the file.
  bool feed(std::string_view piece);

  struct Shown {
    std::string text;       ///< numbered lines
    std::size_t first = 0;  ///< 0 when no line was shown
    std::size_t last = 0;
    std::size_t lines = 0;    ///< of the file, as far as it was read
    bool counted = true;      ///< false: it has more
    bool crlf = false;        ///< its first line ends so
    bool open_end = false;    ///< the last line has no end
    std::size_t escaped = 0;  ///< shown lines with \xNN
  };
  /// After the last piece. `usage` when the range begins behind the file, `bad_data` for a file
  /// that is no text.
  Result<Shown> finish();

 private:
  void take(std::string_view part, bool ends);

  LineRange range_;
  LineNumbering numbering_;
  std::string line_;         ///< the beginning of the line that is being read
  std::size_t unread_ = 0;   ///< bytes of it that were not kept
  std::size_t at_ = 1;       ///< the line that is being read
  std::uint64_t bytes_ = 0;  ///< read so far
  char last_byte_ = '\n';
  bool full_ = false;
  bool crlf_ = false;
  bool binary_ = false;
  bool stopped_ = false;
};

}  // namespace fathom::tools
