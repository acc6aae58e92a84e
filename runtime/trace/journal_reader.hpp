// JournalReader: reads a journal file from front to back, or from a known place on.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/trace/event.hpp"
#include "runtime/trace/event_json.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::trace {

/// One whole line of the file, newline excluded. Valid until the next read.
struct Line {
  std::string_view text;
  std::uint64_t offset = 0;  ///< of its first byte
  std::size_t readable =
      0;  ///< bytes of readable memory from text.data() on (for EventCodec::decode_padded)
};

/// Cuts a file into lines through one buffer. Knows nothing of events.
class LineReader {
 public:
  static Result<LineReader> open(const std::filesystem::path& path, std::uint64_t offset = 0);

  /// The next whole line; nothing at the end of the file or before an unfinished last line, and
  /// then the same call can be repeated when the file has grown. A line of kEventBytesMax or more
  /// is bad_data with its offset.
  Result<std::optional<Line>> next();

  /// The offset of the next line: everything before was returned.
  [[nodiscard]] std::uint64_t offset() const { return buffer_offset_ + begin_; }
  /// Bytes that stand behind the last whole line, as far as the file was read.
  [[nodiscard]] std::string_view unfinished() const;
  /// Continues at the line behind one that next() refused as too long. False when there is none.
  Result<bool> skip_long_line();

 private:
  LineReader(UniqueFd fd, std::string name, std::uint64_t offset);
  Result<std::size_t> refill();

  static constexpr std::size_t kBufferBytes = 4 * kEventBytesMax;

  UniqueFd fd_;
  std::string name_;
  std::string buffer_;
  std::uint64_t buffer_offset_ = 0;
  std::size_t begin_ = 0;  ///< of what was not returned yet
  std::size_t end_ = 0;    ///< of what was read
};

/// Reads events and holds them to the journal's promises: one run, one stream, seq from 1 without
/// gap.
class JournalReader {
 public:
  static Result<JournalReader> open(const std::filesystem::path& path);

  /// The next event; nothing at the end. Damage is bad_data naming the file, the offset and the
  /// reason: `journal x.jsonl: damaged at byte 4711 (after seq 12): …`. An unfinished last line is
  /// the end.
  Result<std::optional<Event>> next();

  [[nodiscard]] std::uint64_t last_seq() const { return last_seq_; }
  /// Behind the last good event.
  [[nodiscard]] std::uint64_t offset() const { return good_end_; }
  /// Bytes of an unfinished line at the end.
  [[nodiscard]] std::size_t unfinished_bytes() const { return lines_.unfinished().size(); }

  /// After next() reported damage: could an interrupted write have left what follows the last good
  /// event? It ends in an unfinished line or holds zeros (pages that never reached the disk), and
  /// no intact event comes after.
  Result<bool> is_torn_tail();

 private:
  JournalReader(LineReader lines, std::string name)
      : lines_(std::move(lines)), name_(std::move(name)) {}
  Error damaged(std::uint64_t offset, const Error& why) const;

  LineReader lines_;
  std::string name_;
  EventCodec codec_;
  std::uint64_t last_seq_ = 0;
  std::uint64_t good_end_ = 0;
  std::optional<RunId> run_;
  std::string stream_;
};

}  // namespace fathom::trace
