#include "tools/reports/junit.hpp"

#include "runtime/base/text.hpp"
#include "tools/reports/report_text.hpp"

#include <pugixml.hpp>

#include <algorithm>
#include <string_view>

namespace fathom::tools {
namespace {

constexpr std::size_t kElementBytes = 64;    // pugixml's node on a 64-bit machine
constexpr std::size_t kAttributeBytes = 40;  // and its attribute

// An element has one '<' and may have a text node; an attribute has one '='.
std::size_t tree_bytes_max(std::string_view bytes) {
  std::size_t elements = 0;
  std::size_t attributes = 0;
  for (const char c : bytes) {
    elements += c == '<' ? 1 : 0;
    attributes += c == '=' ? 1 : 0;
  }
  return 2 * elements * kElementBytes + attributes * kAttributeBytes;
}

// The text of an element, all its pieces: a failure's CDATA is split where it contains "]]>".
std::string text_of(const pugi::xml_node& node, std::size_t bytes_max) {
  std::string text;
  for (const pugi::xml_node& piece : node.children()) {
    if (piece.type() != pugi::node_pcdata && piece.type() != pugi::node_cdata) continue;
    const std::string_view value = piece.value();
    if (text.size() + value.size() > 4 * bytes_max) {
      // A flood: what is kept is clipped again later, from both ends.
      text.append(value.substr(0, bytes_max)).append("\n");
      text.append(value.substr(value.size() - std::min(value.size(), bytes_max)));
      break;
    }
    text += value;
  }
  return text;
}

class JunitReader {
 public:
  void read(const pugi::xml_node& node, std::string_view suite, int depth);
  void add_problem(std::string_view text) { builder_.add_problem(text); }
  void mark_truncated() { builder_.mark_truncated(); }
  [[nodiscard]] bool saw_anything() const { return saw_suite_ || builder_.size() > 0; }
  TestReport finish() { return builder_.finish(); }

 private:
  void read_case(const pugi::xml_node& node, std::string_view suite);
  static void take_failure(const pugi::xml_node& child, TestCase& test);

  ReportBuilder builder_{"junit"};
  bool saw_suite_ = false;
};

void JunitReader::read(const pugi::xml_node& node, std::string_view suite, int depth) {
  if (depth > kJunitDepthMax) {
    builder_.mark_truncated();
    return;
  }
  const std::size_t before = builder_.size();
  bool has_suites = false;
  for (const pugi::xml_node& child : node.children()) {
    const std::string_view name = child.name();
    if (name == "testcase") {
      read_case(child, suite);
    } else if (name == "testsuite" || name == "testsuites") {
      saw_suite_ = has_suites = true;
      const std::string_view own = child.attribute("name").value();
      read(child, name == "testsuites" || own.empty() ? suite : own, depth + 1);
    } else if (name == "error" || name == "failure") {
      // Of the suite itself: a class whose set-up failed.
      TestCase test;
      test.suite = suite;
      test.name = "(suite)";
      take_failure(child, test);
      builder_.add(std::move(test));
    }
  }
  const bool claims_errors =
      node.attribute("errors").as_uint() > 0 || node.attribute("failures").as_uint() > 0;
  if (claims_errors && !has_suites && builder_.size() == before)
    builder_.add_problem("suite '" + std::string(suite) + "' counts failures but names none");
}

void JunitReader::take_failure(const pugi::xml_node& child, TestCase& test) {
  const bool error = std::string_view(child.name()) == "error";
  if (test.status != CaseStatus::failed)
    test.status = error ? CaseStatus::error : CaseStatus::failed;
  const std::string body = text_of(child, kCaseOutputBytesMax);
  const std::string_view message = child.attribute("message").value();
  if (test.message.empty()) {
    test.message = message.empty() ? std::string(first_lines(trimmed(body), 4)) : message;
    if (test.message.empty()) test.message = child.attribute("type").value();
  }
  // Where it failed says more than where the case is declared.
  Location place = find_location(message);
  if (place.file.empty()) place = find_location(body);
  if (!place.file.empty() && test.output.empty()) {
    test.file = place.file;
    test.line = place.line;
  }
  append_line(test.output, body, 4 * kCaseOutputBytesMax);
}

// ctest has one word, notrun, for a case that asked to be skipped and for one whose program is not
// there. The second is why ctest then fails.
bool could_not_run(std::string_view reason) {
  return reason.starts_with("Unable to find") || reason.starts_with("Required Files") ||
         reason.starts_with("Fixture dependency failed") || reason.starts_with("Failed");
}

void JunitReader::read_case(const pugi::xml_node& node, std::string_view suite) {
  TestCase test;
  test.name = node.attribute("name").value();
  const std::string_view classname = node.attribute("classname").value();
  // ctest, and jest-junit by default, repeat the name there.
  if (classname != test.name) test.suite = classname.empty() ? suite : classname;
  test.file = node.attribute("file").value();
  test.line = node.attribute("line").as_uint();
  if (suite == "pytest" && !test.file.empty()) ++test.line;  // it counts from 0
  test.seconds = seconds_of(node.attribute("time").value());
  const std::string_view status = node.attribute("status").value();
  const std::string_view result = node.attribute("result").value();
  if (status == "notrun" || status == "disabled" || result == "suppressed")
    test.status = CaseStatus::skipped;
  // node writes what failed of a case that is still to do, and pytest the broken teardown of one
  // that was skipped: the first is no failure.
  const bool todo = std::string_view(node.child("skipped").attribute("type").value()) == "todo";
  for (const pugi::xml_node& child : node.children()) {
    const std::string_view name = child.name();
    if (!todo && (name == "failure" || name == "error")) {
      take_failure(child, test);
    } else if (name == "skipped" && !is_red(test.status)) {
      test.message = child.attribute("message").value();
      if (test.message.empty()) test.message = text_of(child, kCaseMessageBytesMax);
      const bool broken = status == "notrun" && could_not_run(test.message);
      test.status = broken ? CaseStatus::error : CaseStatus::skipped;
    }
  }
  if (status == "fail" && !is_red(test.status)) test.status = CaseStatus::failed;
  if (is_red(test.status))
    for (const char* stream : {"system-out", "system-err"})
      append_line(test.output, text_of(node.child(stream), kCaseOutputBytesMax),
                  8 * kCaseOutputBytesMax);
  builder_.add(std::move(test));
}

}  // namespace

Result<TestReport> parse_junit(std::string bytes) {
  if (bytes.size() > kJunitBytesMax)
    return fail(ErrorCode::too_large, "junit report: " + format_bytes(bytes.size()) +
                                          " are more than " + format_bytes(kJunitBytesMax));
  if (tree_bytes_max(bytes) > kJunitTreeBytesMax)
    return fail(ErrorCode::too_large,
                "junit report: more elements than fit in " + format_bytes(kJunitTreeBytesMax));
  // pugixml takes NUL for the end; in UTF-16 every other byte is one.
  if (!bytes.starts_with("\xff\xfe") && !bytes.starts_with("\xfe\xff"))
    std::ranges::replace(bytes, '\0', ' ');
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer_inplace(
      bytes.data(), bytes.size(), pugi::parse_default | pugi::parse_doctype);
  for (const pugi::xml_node& node : document.children())
    if (node.type() == pugi::node_doctype &&
        std::string_view(node.value()).find("<!ENTITY") != std::string_view::npos)
      return fail(ErrorCode::bad_data,
                  "junit report: it declares entities, which reports never do");
  JunitReader reader;
  reader.read(document, "", 0);
  if (!reader.saw_anything())
    return fail(ErrorCode::bad_data,
                "junit report: no <testsuite> in it" +
                    (parsed ? std::string() : ": " + std::string(parsed.description())));
  if (!parsed) {
    reader.mark_truncated();
    reader.add_problem("the report ends early or is broken: " + std::string(parsed.description()));
  }
  return reader.finish();
}

}  // namespace fathom::tools
