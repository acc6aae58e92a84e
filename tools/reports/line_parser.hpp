// LineParser: one format that runners print, read line by line while it comes, so that no output is
// too long. Each is made by a function here and lives in the .cpp of its name.
#pragma once

#include "tools/reports/report_text.hpp"
#include "tools/reports/test_report.hpp"

#include <memory>
#include <optional>
#include <string_view>

namespace fathom::tools {

class LineParser {
 public:
  LineParser() = default;
  virtual ~LineParser() = default;
  LineParser(const LineParser&) = delete;
  LineParser& operator=(const LineParser&) = delete;

  /// Without its line feed. Terminal escapes are gone, bytes may still be no UTF-8.
  virtual void line(std::string_view line) = 0;
  /// Nothing when no line was of this format.
  virtual std::optional<TestReport> finish() = 0;
};

using LineParserPtr = std::unique_ptr<LineParser>;

LineParserPtr make_tap_parser();       ///< TAP 12, 13, 14: node's and perl's
LineParserPtr make_go_parser();        ///< `go test -json`
LineParserPtr make_cargo_parser();     ///< `cargo test`, as text or as libtest's JSON
LineParserPtr make_pytest_parser();    ///< pytest's console
LineParserPtr make_unittest_parser();  ///< python -m unittest, Django
LineParserPtr make_ctest_parser();     ///< ctest's console
LineParserPtr make_gtest_parser();     ///< GoogleTest's console
LineParserPtr make_catch_parser();     ///< Catch2's console
LineParserPtr make_marks_parser();     ///< mocha, jest, vitest: a tick or a cross before the name

/// All of `text` through one parser.
std::optional<TestReport> parse_lines(LineParser& parser, std::string_view text);

inline constexpr std::size_t kNestingMax = 64;  // of subtests

}  // namespace fathom::tools
