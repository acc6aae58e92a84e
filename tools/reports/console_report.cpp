#include "tools/reports/console_report.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace fathom::tools {

ConsoleReport::ConsoleReport(ReportFormat format) {
  if (format != ReportFormat::any) {
    if (LineParserPtr parser = make_line_parser(format)) parsers_.push_back(std::move(parser));
    return;
  }
  // A ctest run prints what its programs print, so it stands before theirs; TAP and the marks are
  // the easiest to take for something else.
  for (LineParserPtr (*make)() :
       {make_go_parser, make_ctest_parser, make_cargo_parser, make_gtest_parser, make_catch_parser,
        make_pytest_parser, make_unittest_parser, make_tap_parser, make_marks_parser})
    parsers_.push_back(make());
}

void ConsoleReport::take(std::string_view line) {
  std::string clean;
  if (line.find('\033') != std::string_view::npos) {
    // Indentation is part of TAP, so only escapes go.
    const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
    clean = std::string(indent, ' ') + clean_line(line, kReportLineBytesMax);
    line = clean;
  }
  for (const LineParserPtr& parser : parsers_) parser->line(line);
}

void ConsoleReport::feed(std::string_view bytes) {
  reader_.feed(bytes, [this](std::string_view line) { take(line); });
}

std::optional<TestReport> ConsoleReport::finish(Exit exit) {
  reader_.finish([this](std::string_view line) { take(line); });
  const auto worth = [exit](const TestReport& report) {
    const CaseCounts counts = report.counts();
    const bool explains = counts.red() > 0 || !report.problems.empty();
    return (exit == Exit::bad && explains ? 2 : 0) + (counts.total() > 0 ? 1 : 0);
  };
  std::optional<TestReport> best;
  for (const LineParserPtr& parser : parsers_) {
    std::optional<TestReport> report = parser->finish();
    if (report && (!best || worth(*report) > worth(*best))) best = std::move(report);
  }
  return best;
}

void add_details(TestReport& report, const TestReport& console) {
  std::map<std::string_view, const TestCase*> by_name;
  for (const TestCase& test : console.cases)
    if (is_red(test.status)) by_name.emplace(test.name, &test);
  for (TestCase& test : report.cases) {
    if (!is_red(test.status) || !test.message.empty()) continue;
    const auto found = by_name.find(test.name);
    if (found == by_name.end()) continue;
    test.message = found->second->message;
    if (test.output.empty()) test.output = found->second->output;
  }
}

}  // namespace fathom::tools
