// JUnit XML: what pytest, Maven surefire, Gradle, GoogleTest, Catch2, ctest, jest-junit, mocha and
// node write. There is no standard, only files; this reads what they have in common.
//
// pugixml keeps the whole tree, which is 64 bytes an element and 40 an attribute, so the tree is
// measured before it is made: `<a/>` repeated would be 16 times its bytes. Entities of a document
// are never expanded, and one that declares some is refused.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/reports/test_report.hpp"

#include <string>

namespace fathom::tools {

inline constexpr std::size_t kJunitBytesMax = 64UL << 20;       // of one file
inline constexpr std::size_t kJunitTreeBytesMax = 256UL << 20;  // what its tree may take in memory
inline constexpr int kJunitDepthMax = 64;                       // of nested suites

/// `bad_data` when there is no suite and no case in it, `too_large` beyond the bounds. A document
/// that ends early (the runner was killed) gives what is there, and a problem.
Result<TestReport> parse_junit(std::string bytes);

}  // namespace fathom::tools
