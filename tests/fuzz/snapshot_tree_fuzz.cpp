// The trees and records of a snapshot store: what decodes encodes to the same again.
#include "runtime/base/ensure.hpp"
#include "tools/git/snapshot_record.hpp"
#include "tools/git/snapshot_tree.hpp"
#include "tools/git/stat_cache.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto tree = fathom::tools::decode_tree(input))
    ENSURE(fathom::tools::encode_tree(*tree) == input, "a tree has one form");
  if (const auto cache = fathom::tools::decode_cache(input))
    ENSURE(*fathom::tools::decode_cache(fathom::tools::encode_cache(*cache)) == *cache,
           "a cache reads back");
  if (const auto record = fathom::tools::decode_record(input))
    ENSURE(*fathom::tools::decode_record(fathom::tools::encode_record(*record)) == *record,
           "a record reads back");
  return 0;
}
