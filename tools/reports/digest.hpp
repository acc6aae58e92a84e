// The digest: what a model is told of a test run. Every token of it stays in the context for the
// rest of the session, so it is lines, not logs: the verdict, the first failure with its place and
// words, the names of the rest, and what changed.
#pragma once

#include "tools/reports/verdict.hpp"

#include <optional>
#include <string>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kDigestLinesMax = 40;
inline constexpr std::size_t kDigestNamesMax = 12;  // of failing cases
inline constexpr std::size_t kDigestLineBytesMax = 240;

struct DigestInput {
  Judgement judgement;
  std::optional<TestReport> report;
  std::string command;  ///< in one line
  std::string why;      ///< why this command: "guessed from go.mod"
  double seconds = 0;
  std::optional<Delta> delta;
  std::string against;  ///< the run that the delta starts from; empty: "the baseline"
  std::vector<ClassifiedCase> classified;
  std::size_t reruns = 0;
};

/// At most kDigestLinesMax lines, without a line feed at the end.
std::string digest_of(const DigestInput& input);

/// What most of the failures say, when it is the same: one missing module makes many cases red.
std::string likely_cause(const TestReport& report);

/// The first error in a compiler's or build tool's output, with its place; empty when there is
/// none.
std::string first_error(std::string_view output);

}  // namespace fathom::tools
