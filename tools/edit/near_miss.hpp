// Why a text is not in a file: the sentence that lets a model mend its call with no further look.
// Pure. What goes wrong in practice is looked for first: the numbers that `view` prints, escapes
// sent as two characters, space at the ends, tabs for spaces, typographic quotes; then the lines
// that have most in common.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom::tools {

inline constexpr std::size_t kExplainedFileBytesMax = 4UL << 20;  // of more, only that it is absent
inline constexpr std::size_t kExplainedTextBytesMax = 64UL << 10;

/// One line about `old_text`, which is not in `file`; it says also when `new_text` is there
/// already.
[[nodiscard]] std::string explain_miss(std::string_view file, std::string_view old_text,
                                       std::string_view new_text);

}  // namespace fathom::tools
