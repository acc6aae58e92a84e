// What both of our parsers must know about the chunks of Beast's.
#pragma once

#include <cstddef>
#include <string_view>

namespace fathom::net {

/// Whether `bytes`, where a body's first chunk begins, must wait for more before Beast sees them.
/// Beast 1.81 asserts, and so aborts, when the first chunk is the last and was seen before all of
/// the shortest body, `0 CRLF CRLF`, was there: "0\r\n" and then "\r", which any peer can send.
[[nodiscard]] inline bool is_cut_last_chunk(std::string_view bytes) {
  constexpr std::size_t kLastChunkBytesMin = 5;
  return bytes.starts_with('0') && bytes.size() < kLastChunkBytesMin;
}

}  // namespace fathom::net
