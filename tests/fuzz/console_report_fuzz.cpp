// Any bytes on a console give a bounded report of clean texts, or none; so do they as the text of
// each runner that has no fuzzer of its own, and as jest's JSON.
#include "tests/support/report_check.hpp"
#include "tools/reports/console_report.hpp"
#include "tools/reports/jest_json.hpp"

#include <cstdint>

using namespace fathom;
using namespace fathom::tools;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (LineParserPtr (*make)() : {make_pytest_parser, make_unittest_parser, make_ctest_parser,
                                  make_gtest_parser, make_catch_parser, make_marks_parser})
    test::check_line_parser(make, bytes);
  ConsoleReport console;
  console.feed(bytes);
  if (const auto report = console.finish(ConsoleReport::Exit::bad)) test::check_report(*report);
  if (const auto report = parse_jest(bytes)) test::check_report(*report);
  return 0;
}
