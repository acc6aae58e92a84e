// A short difference of two texts by lines, for people and models to read; not for applying. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom::tools {

inline constexpr std::size_t kDiffContextLines = 2;
/// Of the result; the rest is counted.
inline constexpr std::size_t kDiffLinesMax = 60;
/// Lines that come and go, up to which the shortest difference is looked for (the time grows with
/// its square); beyond it all between the first and the last change counts as changed.
inline constexpr std::size_t kDiffEditsMax = 400;

/// Unified, without file names: "@@ -3,4 +3,5 @@" and lines that begin with ' ', '-' or '+', each
/// shown safely. "" when the texts are equal by lines.
[[nodiscard]] std::string line_diff(std::string_view before, std::string_view after);

}  // namespace fathom::tools
