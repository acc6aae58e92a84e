#include "tests/tidy/shape.hpp"

#include "tests/tidy/functions.hpp"
#include "tests/tidy/lexer.hpp"
#include "tests/tidy/path.hpp"

#include <algorithm>
#include <span>
#include <string_view>

namespace fathom::tidy {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Bytes that do not continue a UTF-8 sequence; an ill-formed byte counts as it would be shown,
// once.
long columns_of(std::string_view line) {
  return std::ranges::count_if(
      line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

bool is_test_case(std::string_view name) {
  return name == "TEST_CASE" || name == "TEST_CASE_METHOD" || name == "TEMPLATE_TEST_CASE" ||
         name == "SCENARIO";
}

bool is_pair(std::span<const Token> code, std::size_t at, std::string_view first,
             std::string_view second) {
  return at + 1 < code.size() && code[at].text == first && code[at + 1].text == second;
}

}  // namespace

Findings check_columns(const SourceFile& file) {
  Findings findings;
  int number = 0;
  for (std::string_view line : lines_of(file.text)) {
    ++number;
    if (const long columns = columns_of(line); columns > kColumnsMax)
      findings.push_back({file.path, number,
                          std::to_string(columns) + " columns are more than " +
                              std::to_string(kColumnsMax) +
                              ": run clang-format, and break what it cannot"});
  }
  return findings;
}

Findings check_file_length(const SourceFile& file) {
  const auto lines = static_cast<int>(lines_of(file.text).size());
  if (lines <= kFileLinesMax) return {};
  return {{file.path, kFileLinesMax + 1,
           std::to_string(lines) + " lines are more than " + std::to_string(kFileLinesMax) +
               ": split the file by what its parts are"}};
}

Findings check_functions(const SourceFile& file) {
  Findings findings;
  for (const Function& function : functions_of(lex(file.text))) {
    const bool test_case = is_below(file.path, "tests") && is_test_case(function.name);
    const int lines_max = test_case ? kTestCaseLinesMax : kFunctionLinesMax;
    if (function.lines() <= lines_max) continue;
    findings.push_back({file.path, function.first_line,
                        function.name + " has " + std::to_string(function.lines()) +
                            " lines, more than " + std::to_string(lines_max) +
                            ": name a part of it and move that out"});
  }
  return findings;
}

Findings check_header(const SourceFile& file) {
  Findings findings;
  if (!is_header(file.path)) return findings;
  const std::vector<Token> code = without_comments(lex(file.text));
  bool guarded = false;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i].in_directive && is_pair(code, i, "pragma", "once")) guarded = true;
    if (!code[i].in_directive && is_pair(code, i, "using", "namespace"))
      findings.push_back({file.path, code[i].line,
                          "`using namespace` in a header opens it in every includer: qualify the "
                          "names or alias the namespace"});
  }
  if (!guarded)
    findings.push_back({file.path, 1, "a header needs `#pragma once` below its first comment"});
  return findings;
}

}  // namespace fathom::tidy
