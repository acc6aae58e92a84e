// ReportFormat: what a command reports in, when its repository's settings say so. One format is
// never taken for another then.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/reports/line_parser.hpp"
#include "tools/reports/test_report.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::tools {

/// `any` takes whatever is understood; `exit` is no report: the exit code alone speaks.
enum class ReportFormat : std::uint8_t { any, junit, jest, tap, go, cargo, exit };

/// As people write them, in the order of ReportFormat without `any`.
inline constexpr std::array<std::string_view, 6> kReportFormatNames = {"junit",  "jest",  "tap",
                                                                       "gojson", "cargo", "exit"};

/// Null for a format that is no lines: JUnit, jest's JSON, an exit code.
LineParserPtr make_line_parser(ReportFormat format);

/// The text of one report file; `any` is JUnit. `bad_data` when it is not of that format.
Result<TestReport> parse_report(ReportFormat format, std::string bytes);

}  // namespace fathom::tools
