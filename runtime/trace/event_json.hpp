// One encoding of events for journal, --json and WebSocket: a line of JSON with a checksum at its
// end.
//
//   {"v":1,"run":"01J…","stream":"main","seq":7,"ts":"2026-11-24T12:00:00.000000Z","mono_ns":1,
//    "type":"tool.started","span":"00f0…","parent":"…","cause":6,"durability":"durable","data":{…},
//    "xxh3":"…16 hexadecimal digits…"}
//
// (on one line). `sub` follows `seq` in ephemeral events; `span`, `parent` and `cause` are left out
// when none. The checksum covers every byte before `,"xxh3"`. It may be missing in what people
// write by hand.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/trace/event.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace fathom::trace {

/// Writes and reads lines. Not thread-safe: it owns the scratch memory of its JSON parser.
class EventCodec {
 public:
  EventCodec();
  ~EventCodec();
  EventCodec(EventCodec&&) noexcept;
  EventCodec& operator=(EventCodec&&) noexcept;

  /// Appends the line, newline included, to `out`. Refuses with bad_data what a reader would refuse
  /// (data that is not one JSON object on one line, a bad type or stream name) and with too_large
  /// what exceeds kEventBytesMax; `out` is unchanged then.
  Result<> append(std::string& out, const Event& event);

  /// How many bytes the JSON parser may read (and ignore) behind the end of a line.
  static constexpr std::size_t kPadding = 64;

  /// `line` is one event without its newline. Strict: unknown or repeated keys, wrong types,
  /// numbers out of range, ill-formed UTF-8, a wrong checksum are bad_data saying what and at which
  /// key. Types of a newer version pass.
  Result<Event> decode(std::string_view line);

  /// The same without a copy: `readable` bytes from line.data() on are readable memory, kPadding
  /// more than the line.
  Result<Event> decode_padded(std::string_view line, std::size_t readable);

 private:
  struct Parsers;

  Result<> check_data(std::string_view data);
  Result<Event> read_fields(std::string_view line, std::size_t readable, bool summed);

  std::unique_ptr<Parsers> parsers_;
  std::string scratch_;
  std::string data_scratch_;
};

/// The text form of a span id, and of a time stamp: what the encoding above shows.
[[nodiscard]] std::string to_string(SpanId span);
[[nodiscard]] std::string to_string(WallTime time);

}  // namespace fathom::trace
