// ConsoleReport: whatever a command prints, read as every format at once while it comes; the one
// that says most is the report. Nothing is kept but what the parsers keep.
#pragma once

#include "tools/reports/line_parser.hpp"
#include "tools/reports/report_format.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace fathom::tools {

class ConsoleReport {
 public:
  /// A format that lines have, `any`, or one that makes this hear nothing.
  explicit ConsoleReport(ReportFormat format = ReportFormat::any);

  void feed(std::string_view bytes);
  /// Nothing when no line was understood: then only the exit code speaks. When the command failed,
  /// a format that says why goes before one that says all is well.
  enum class Exit : std::uint8_t { good, bad };
  std::optional<TestReport> finish(Exit exit);

 private:
  void take(std::string_view line);

  LineReader reader_;
  std::vector<LineParserPtr> parsers_;  ///< the surer a format, the earlier
};

/// Gives red cases of `report` that say nothing the message and output that the console had for a
/// case of that name: ctest writes `<failure message=""/>` and prints `***Timeout`.
void add_details(TestReport& report, const TestReport& console);

}  // namespace fathom::tools
