// Data of a session's events, as a journal from elsewhere may hold it: the first line is the type.
// What can be read must be written and read again the same.
#include "engine/session/session_events.hpp"
#include "runtime/base/ensure.hpp"

#include <unistd.h>

#include <cstdint>
#include <filesystem>

using namespace fathom;
using namespace fathom::engine;

namespace {

const trace::BlobStore& blobs() {
  static const trace::BlobStore store = [] {
    const auto dir = std::filesystem::temp_directory_path() /
                     ("fathom_session_events_fuzz." + std::to_string(::getpid()));
    auto opened = trace::BlobStore::open(dir);
    ENSURE(opened.has_value(), "the temporary folder takes files");
    return *std::move(opened);
  }();
  return store;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return 0;
  trace::Event event;
  event.what.type = bytes.substr(0, end);
  event.what.data = bytes.substr(end + 1);
  const auto read = decode(event, blobs());
  if (!read || !*read || is_large(**read)) return 0;
  const auto written = encode(**read, blobs());
  ENSURE(written.has_value(), "what was read can be written");
  event.what = *written;
  const auto again = decode(event, blobs());
  ENSURE(again && *again, "what was written can be read");
  ENSURE(*encode(**again, blobs()) == *written, "an event reads back as it was written");
  return 0;
}
