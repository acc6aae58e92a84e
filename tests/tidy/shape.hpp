// The rules about size and form that hold for every C++ file of the tree.
#pragma once

#include "tests/tidy/finding.hpp"

namespace fathom::tidy {

constexpr int kColumnsMax = 100;
constexpr int kFileLinesMax = 800;
constexpr int kFunctionLinesMax = 70;
/// A test may be a long list of checks; beyond this it is several tests.
constexpr int kTestCaseLinesMax = 150;

/// Columns are code points, as an editor shows them.
[[nodiscard]] Findings check_columns(const SourceFile& file);
[[nodiscard]] Findings check_file_length(const SourceFile& file);
[[nodiscard]] Findings check_functions(const SourceFile& file);
/// Headers say `#pragma once` and never `using namespace`.
[[nodiscard]] Findings check_header(const SourceFile& file);

}  // namespace fathom::tidy
