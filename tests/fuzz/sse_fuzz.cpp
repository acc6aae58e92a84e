// The first byte cuts the rest into pieces. However it is cut, the events are the same; and what
// was parsed survives being written and parsed again.
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "runtime/net/sse.hpp"

#include <algorithm>
#include <cstdint>

using namespace fathom;
using namespace fathom::net;

namespace {

constexpr std::size_t kEventBytesMax = 256;  // small, so that the bound is reached

struct Parsed {
  std::vector<SseEvent> events;
  Result<> ok;
};

Parsed parse(std::string_view bytes, std::size_t piece) {
  SseParser parser(kEventBytesMax);
  Parsed parsed;
  while (!bytes.empty() && parsed.ok) {
    const std::size_t size = std::min(piece, bytes.size());
    parsed.ok = parser.feed(bytes.substr(0, size), parsed.events);
    bytes.remove_prefix(size);
  }
  return parsed;
}

void check_round_trip(const SseEvent& event) {
  SseParser parser;
  std::vector<SseEvent> again;
  ENSURE(parser.feed(encode_sse(event), again), "an event that was parsed fits");
  ENSURE(again == std::vector<SseEvent>{event}, "what is written is read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Parsed whole = parse(bytes, std::max<std::size_t>(1, bytes.size()));
  const Parsed pieces = parse(bytes, 1 + data[0] % 16);
  ENSURE(whole.events == pieces.events, "a cut does not change the events");
  ENSURE(whole.ok.has_value() == pieces.ok.has_value(), "a cut does not change the bound");
  for (const SseEvent& event : whole.events) {
    ENSURE(find_invalid_utf8(event.data + event.type + event.id) == std::string::npos,
           "events are valid UTF-8");
    // A type or id can hold NUL on the wire; the writer refuses to make one.
    if (!event.type.contains('\0')) check_round_trip(event);
  }
  return 0;
}
