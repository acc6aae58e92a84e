// jest's own report (`--json --outputFile`), which vitest writes too (`--reporter=json`).
#pragma once

#include "runtime/base/result.hpp"
#include "tools/reports/test_report.hpp"

#include <string_view>

namespace fathom::tools {

inline constexpr std::size_t kJestBytesMax = 32UL << 20;
inline constexpr int kJestDepthMax = 16;

Result<TestReport> parse_jest(std::string_view bytes);

}  // namespace fathom::tools
