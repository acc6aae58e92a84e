// The rules about #include: which layer may see which, where each third party may appear, in what
// order.
#pragma once

#include "tests/tidy/finding.hpp"

#include <string_view>

namespace fathom::tidy {

/// Arrows between folders point down: ARCHITECTURE.md's table of layers, and the parts of runtime
/// and engine.
[[nodiscard]] Findings check_layers(const SourceFile& file);

/// Each third-party library appears only where the table confines it, and the expensive headers
/// nowhere (or in no header). Tests and examples may use any library.
[[nodiscard]] Findings check_third_parties(const SourceFile& file);

/// `own_header` first, then ours, third-party, system, standard, as .clang-format sorts them. Empty
/// when the file has no header of its own.
[[nodiscard]] Findings check_include_order(const SourceFile& file, std::string_view own_header);

/// The header a source file belongs to, existing or not: x.hpp of x.cpp and of tests/x_test.cpp.
/// Empty for anything else.
[[nodiscard]] std::string own_header_of(std::string_view path);

}  // namespace fathom::tidy
