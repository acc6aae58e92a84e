// Any bytes as config.json: an answer; what is accepted survives its own spelling.
#include "engine/model/config.hpp"
#include "runtime/base/ensure.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom::engine;
  const auto config = parse_config({reinterpret_cast<const char*>(data), size});
  if (!config) return 0;
  ENSURE(validate(*config).has_value(), "what is accepted is valid");
  ENSURE(config->draft == DraftKind::dspark || parse_config(to_json(*config)).has_value(),
         "what is accepted can be written and read again");
  return 0;
}
