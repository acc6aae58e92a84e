// What every test report holds, whatever bytes it was made of.
#pragma once

#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "tools/reports/digest.hpp"
#include "tools/reports/line_parser.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

namespace fathom::test {

inline void check_report(const tools::TestReport& report) {
  ENSURE(report.cases.size() <= tools::kCasesMax + tools::kRedCasesMax, "cases are bounded");
  ENSURE(report.problems.size() <= tools::kProblemsMax, "problems are bounded");
  std::size_t details = 0;
  for (const tools::TestCase& test : report.cases) {
    const std::string all = test.suite + test.name + test.file + test.message + test.output;
    ENSURE(find_invalid_utf8(all) == std::string::npos, "texts are valid UTF-8");
    ENSURE(
        std::ranges::none_of(
            all,
            [](char c) { return (c >= '\0' && c < ' ' && c != '\n' && c != '\t') || c == '\x7f'; }),
        "texts hold no control characters");
    ENSURE(!test.name.empty(), "every case has a name");
    ENSURE(test.seconds >= 0 && test.seconds <= 1e9, "durations are sane");
    details += test.message.size() + test.output.size();
  }
  ENSURE(details <= tools::kDetailBytesMax, "details are bounded");
  tools::DigestInput input;
  input.judgement = tools::judge({}, report);
  input.report = report;
  const bool green = input.judgement.verdict == tools::TestVerdict::passed;
  ENSURE(!green || (report.counts().passed > 0 && report.counts().red() == 0),
         "only passed cases make a success");
  const std::string digest = tools::digest_of(input);
  ENSURE(static_cast<std::size_t>(std::ranges::count(digest, '\n')) < tools::kDigestLinesMax,
         "a digest is short");
  ENSURE(find_invalid_utf8(digest) == std::string::npos, "a digest is valid UTF-8");
}

/// The same bytes in one piece and in many are the same report.
inline void check_line_parser(tools::LineParserPtr (*make)(), std::string_view bytes) {
  const tools::LineParserPtr whole = make();
  const auto report = tools::parse_lines(*whole, bytes);
  if (report) check_report(*report);
  const tools::LineParserPtr pieces = make();
  tools::LineReader reader;
  const auto take = [&](std::string_view line) { pieces->line(line); };
  for (std::size_t at = 0; at < bytes.size(); at += 5) reader.feed(bytes.substr(at, 5), take);
  reader.finish(take);
  ENSURE(pieces->finish() == report, "pieces do not change a report");
}

}  // namespace fathom::test
