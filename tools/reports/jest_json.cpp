#include "tools/reports/jest_json.hpp"

#include "runtime/base/text.hpp"
#include "tools/reports/report_text.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace fathom::tools {
namespace {

using nlohmann::json;

std::string text_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The value when it is an array, else an empty one.
const json& array_at(const json& object, const char* key) {
  static const json empty = json::array();
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_array() ? *found : empty;
}

TestCase case_of(const json& assertion, const std::string& file) {
  TestCase test;
  for (const json& title : array_at(assertion, "ancestorTitles"))
    if (title.is_string() && !title.get_ref<const std::string&>().empty())
      test.suite += (test.suite.empty() ? "" : " > ") + title.get<std::string>();
  test.name = text_at(assertion, "title");
  const std::string status = text_at(assertion, "status");
  test.status = status == "passed"   ? CaseStatus::passed
                : status == "failed" ? CaseStatus::failed
                                     : CaseStatus::skipped;
  const auto duration = assertion.find("duration");
  if (duration != assertion.end() && duration->is_number())
    test.seconds = seconds_of(std::to_string(duration->get<double>())) / 1000;
  for (const json& message : array_at(assertion, "failureMessages"))
    if (message.is_string())
      append_line(test.output, message.get_ref<const std::string&>(), 4 * kCaseOutputBytesMax);
  const std::size_t trace = test.output.find("\n    at ");
  test.message = first_lines(trimmed(std::string_view(test.output).substr(0, trace)), 6);
  if (is_red(test.status)) {
    const Location place = find_location(test.output);
    test.file = place.file.empty() ? file : place.file;
    test.line = place.line;
  }
  return test;
}

}  // namespace

Result<TestReport> parse_jest(std::string_view bytes) {
  if (bytes.size() > kJestBytesMax)
    return fail(ErrorCode::too_large, "jest report: " + format_bytes(bytes.size()) +
                                          " are more than " + format_bytes(kJestBytesMax));
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kJestDepthMax; };
  const json report = json::parse(bytes, shallow, false);
  if (!report.is_object() || !report.contains("testResults"))
    return fail(ErrorCode::bad_data, "jest report: no testResults in it");
  ReportBuilder builder("jest");
  for (const json& file : array_at(report, "testResults")) {
    const std::string name = text_at(file, "name");
    const json& assertions = array_at(file, "assertionResults");
    for (const json& assertion : assertions)
      if (assertion.is_object()) builder.add(case_of(assertion, name));
    // A file that does not even load has a message and no cases.
    if (assertions.empty() && text_at(file, "status") == "failed")
      builder.add_problem(name + ": " + text_at(file, "message"));
  }
  return builder.finish();
}

}  // namespace fathom::tools
