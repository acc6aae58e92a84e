// Any bytes as an event line: refused or understood, and what is understood survives its own
// encoding.
#include "runtime/base/ensure.hpp"
#include "runtime/trace/event_json.hpp"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom::trace;
  EventCodec codec;
  const auto event = codec.decode({reinterpret_cast<const char*>(data), size});
  if (!event) return 0;
  std::string line;
  // A line by hand may be short of the bound and pass it once the checksum is added; nothing else
  // may fail.
  const auto appended = codec.append(line, *event);
  if (!appended && appended.error().code == fathom::ErrorCode::too_large) return 0;
  // Data with spaces between lines cannot come in (lines have no newline), so it must go out.
  ENSURE(appended, "what was decoded can be encoded");
  line.pop_back();
  const auto again = codec.decode(line);
  ENSURE(again && *again == *event, "and means the same");
  return 0;
}
