// Any bytes as cargo's output give a bounded report of clean texts, or none, however they come in.
#include "tests/support/report_check.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  fathom::test::check_line_parser(fathom::tools::make_cargo_parser, bytes);
  return 0;
}
