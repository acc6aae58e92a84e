// Any bytes as a journal file: reading ends, and says of what it refuses where it stands.
#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/trace/journal_reader.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom;
  const UniqueFd file(::memfd_create("journal", MFD_CLOEXEC));
  ENSURE(write_all(file.get(), {reinterpret_cast<const char*>(data), size}, "memfd"),
         "memory is there");
  auto reader = trace::JournalReader::open("/proc/self/fd/" + std::to_string(file.get()));
  ENSURE(reader, "an open file can be opened again");
  std::uint64_t events = 0;
  for (;;) {
    const auto event = reader->next();
    if (!event) {
      ENSURE(event.error().message.find("damaged at byte ") != std::string::npos,
             "damage has a place");
      ENSURE(reader->is_torn_tail(), "the tail can be looked at");
      break;
    }
    if (!*event) break;
    ENSURE((*event)->at.seq == ++events, "seq has no gap");
  }
  ENSURE(reader->offset() <= size, "the good part lies inside the file");
  return 0;
}
