// KeptBaseline: what the last whole run of a repository's tests said, as text that outlives the
// program. Pure.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/reports/verdict.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kKeptBaselineBytesMax = 32UL << 20;

struct KeptBaseline {
  std::string run;                   ///< id of the run that it was part of
  std::string workspace;             ///< whose tests these are
  std::vector<std::string> command;  ///< another command names its cases in another way
  Baseline cases;

  friend bool operator==(const KeptBaseline&, const KeptBaseline&) = default;
};

/// One JSON object. `too_large` beyond kKeptBaselineBytesMax.
Result<std::string> to_text(const KeptBaseline& kept);
/// `bad_data` for what to_text() did not write.
Result<KeptBaseline> parse_kept_baseline(std::string_view text);

}  // namespace fathom::tools
