// All rules over a whole tree.
#pragma once

#include "tests/tidy/finding.hpp"

#include <filesystem>

namespace fathom::tidy {

/// The C++ files and CMakeLists.txt files below `root` that are ours, in the order of their paths.
/// Golden files, corpora and the repositories that agents are tried on are data, whatever they look
/// like.
[[nodiscard]] std::vector<SourceFile> read_tree(const std::filesystem::path& root);

/// What every rule finds, sorted by file and line.
[[nodiscard]] Findings check_tree(const std::vector<SourceFile>& tree);

}  // namespace fathom::tidy
