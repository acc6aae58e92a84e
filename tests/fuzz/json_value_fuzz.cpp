// Any bytes as JSON, in both dialects: what is accepted survives being printed and read again.
#include "engine/text/json_value.hpp"
#include "engine/text/python_json.hpp"
#include "runtime/base/ensure.hpp"

using namespace fathom::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto standard = parse_json(text);
  const auto python = parse_json(text, JsonDialect::python);
  ENSURE(!standard || (python && *python == *standard), "Python reads all of JSON");
  if (!python) return 0;
  const std::string printed = to_python_json(*python);
  const auto again = parse_json(printed, JsonDialect::python);
  ENSURE(again, "what is printed can be read");
  ENSURE(to_python_json(*again) == printed, "and is printed the same");
  return 0;
}
