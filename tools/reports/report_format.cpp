#include "tools/reports/report_format.hpp"

#include "tools/reports/jest_json.hpp"
#include "tools/reports/junit.hpp"

#include <optional>
#include <utility>

namespace fathom::tools {

LineParserPtr make_line_parser(ReportFormat format) {
  switch (format) {
    case ReportFormat::tap:
      return make_tap_parser();
    case ReportFormat::go:
      return make_go_parser();
    case ReportFormat::cargo:
      return make_cargo_parser();
    default:
      return nullptr;
  }
}

Result<TestReport> parse_report(ReportFormat format, std::string bytes) {
  if (const LineParserPtr parser = make_line_parser(format)) {
    std::optional<TestReport> report = parse_lines(*parser, bytes);
    if (report) return *std::move(report);
    const auto index = static_cast<std::size_t>(format) - 1;
    return fail(ErrorCode::bad_data,
                "the report file holds no " + std::string(kReportFormatNames[index]));
  }
  return format == ReportFormat::jest ? parse_jest(bytes) : parse_junit(std::move(bytes));
}

}  // namespace fathom::tools
