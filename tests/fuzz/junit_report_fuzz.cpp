// Any bytes as JUnit XML give a bounded report of clean texts, or an error.
#include "tests/support/report_check.hpp"
#include "tools/reports/junit.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto report =
      fathom::tools::parse_junit(std::string(reinterpret_cast<const char*>(data), size));
  if (report) fathom::test::check_report(*report);
  return 0;
}
