// Reports as tools write them, and what is read from each; fixtures/*.expected. UPDATE_GOLDEN=1
// writes those anew: read the difference.
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/reports/console_report.hpp"
#include "tools/reports/jest_json.hpp"
#include "tools/reports/junit.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace fathom::tools {
namespace {

const std::filesystem::path kFixtures = "tests/tools/reports/fixtures";

std::string shown(std::string text) {
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at))
    text.replace(at, 1, "\\n");
  return text;
}

std::string described(const TestReport& report) {
  const CaseCounts counts = report.counts();
  std::string text = report.format + ": " + std::to_string(counts.passed) + " passed, " +
                     std::to_string(counts.failed) + " failed, " + std::to_string(counts.errors) +
                     " errors, " + std::to_string(counts.skipped) + " skipped" +
                     (report.truncated ? ", truncated" : "") + "\n";
  for (const std::string& problem : report.problems) text += "problem: " + shown(problem) + "\n";
  for (const TestCase& test : report.cases) {
    text += std::string(name_of(test.status)) + " " + id_of(test);
    if (!test.file.empty()) text += " at " + test.file + ":" + std::to_string(test.line);
    if (test.seconds > 0)
      text += " in " + std::to_string(static_cast<long>(test.seconds * 1000)) + " ms";
    text += "\n";
    if (!test.message.empty()) text += "  message: " + shown(test.message) + "\n";
    if (!test.output.empty()) text += "  output: " + shown(test.output.substr(0, 200)) + "\n";
  }
  return text;
}

std::string described(const Result<TestReport>& report) {
  return report ? described(*report) : "refused: " + report.error().message + "\n";
}

std::string described(const std::optional<TestReport>& report) {
  return report ? described(*report) : "none of this format\n";
}

std::string read(const std::filesystem::path& path) {
  const std::string bytes = test::slurp(path);
  const std::string name = path.filename().string();
  const std::string format = name.substr(0, name.find('_'));
  if (format == "junit") return described(parse_junit(bytes));
  if (format == "jest") return described(parse_jest(bytes));
  const std::map<std::string, LineParserPtr (*)()> parsers = {
      {"tap", make_tap_parser},           {"go", make_go_parser},
      {"cargo", make_cargo_parser},       {"pytest", make_pytest_parser},
      {"unittest", make_unittest_parser}, {"ctest", make_ctest_parser},
      {"gtest", make_gtest_parser},       {"catch", make_catch_parser},
      {"marks", make_marks_parser}};
  const LineParserPtr parser = parsers.at(format)();
  return described(parse_lines(*parser, bytes));
}

std::vector<std::filesystem::path> fixtures() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(kFixtures))
    if (entry.path().extension() != ".expected") paths.push_back(entry.path());
  return paths;
}

TEST_CASE("reports of every runner are read as what they say", "[tools]") {
  std::size_t compared = 0;
  for (const std::filesystem::path& path : fixtures()) {
    INFO(path);
    const std::string actual = read(path);
    const std::filesystem::path expected = path.string() + ".expected";
    if (std::getenv("UPDATE_GOLDEN") != nullptr)
      std::ofstream(expected, std::ios::binary) << actual;
    CHECK(actual == test::slurp(expected));
    ++compared;
  }
  CHECK(compared > 40);
}

TEST_CASE("a report that ends anywhere is read without a crash", "[tools]") {
  for (const std::filesystem::path& path : fixtures()) {
    INFO(path);
    const std::string whole = test::slurp(path);
    const std::filesystem::path cut = path.filename();
    const test::TempDir dir;
    for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 40) {
      const std::filesystem::path copy = dir.write(cut.string(), whole.substr(0, size));
      CHECK_NOTHROW(read(copy));
    }
  }
}

TEST_CASE("the console's format is found without being told", "[tools]") {
  const std::map<std::string, std::string> formats = {{"tap_node.tap", "tap"},
                                                      {"tap_perl.tap", "tap"},
                                                      {"go_packages.json", "go"},
                                                      {"cargo_text.txt", "cargo"},
                                                      {"cargo_build.txt", "cargo"},
                                                      {"pytest_short.txt", "pytest"},
                                                      {"unittest_verbose.txt", "unittest"},
                                                      {"unittest_dots.txt", "unittest"},
                                                      {"ctest_console.txt", "ctest"},
                                                      {"gtest_console.txt", "gtest"},
                                                      {"catch_console.txt", "catch2"},
                                                      {"catch_green.txt", "catch2"},
                                                      {"marks_jest.txt", "marks"},
                                                      {"marks_mocha.txt", "marks"},
                                                      {"marks_vitest.txt", "marks"}};
  for (const auto& [name, format] : formats) {
    INFO(name);
    const std::string bytes = test::slurp(kFixtures / name);
    ConsoleReport whole;
    whole.feed(bytes);
    const auto report = whole.finish(ConsoleReport::Exit::bad);
    REQUIRE(report);
    CHECK(report->format == format);
    ConsoleReport pieces;  // however the bytes come in
    for (std::size_t at = 0; at < bytes.size(); at += 7) pieces.feed(bytes.substr(at, 7));
    CHECK(pieces.finish(ConsoleReport::Exit::bad) == report);
  }
}

TEST_CASE("prose is no report", "[tools]") {
  ConsoleReport console;
  console.feed("compiling a.c\nok then\n3 files changed\nTests are in the folder\n- one\nDone.\n");
  CHECK_FALSE(console.finish(ConsoleReport::Exit::good));
}

}  // namespace
}  // namespace fathom::tools
