// The rule that ties the tree to its build: what is there is built, what is built is there.
#pragma once

#include "tests/tidy/finding.hpp"

namespace fathom::tidy {

/// Every source file is listed in one CMakeLists.txt, of its folder or above, once; every listed
/// file exists. `tree` holds the sources and the CMakeLists.txt files. A name with a variable in it
/// (`cases/${case}.cpp`) stands for every file it could be. Tests in different folders may share a
/// helper.
[[nodiscard]] Findings check_sources(const std::vector<SourceFile>& tree);

}  // namespace fathom::tidy
