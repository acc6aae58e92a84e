// Edits that name the text they change. Pure: bytes of a file in, one splice out.
//
// A line end of the model's text matches a line end of the file, whichever kind either is, because
// models see and write "\n" only; everything else is literal. That is all the leniency there is: an
// edit that "almost" matches is explained (near_miss.hpp), never made, since a wrong place that is
// changed silently costs far more than one more call.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/edit/file_text.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fathom::tools {

inline constexpr std::size_t kMatchesCountedMax = 1'000;  // then it is "more than 1000"
inline constexpr std::size_t kMatchesShownMax = 10;       // line numbers in the error

/// Puts `new_text` where `old_text` is, with the line ends that the file has there. Errors:
/// `not_found` when it is nowhere (says what is nearest), `usage` when it is in several places,
/// overlapping ones counted (says the lines), or when there is nothing to do.
Result<Splice> plan_replace(std::string_view file, std::string_view old_text,
                            std::string_view new_text);

/// Puts `text` as whole lines behind line `after_line`; 0 is the top of the file. A last line that
/// had no end still has none afterwards. `usage` for a line that does not exist.
Result<Splice> plan_insert(std::string_view file, std::int64_t after_line, std::string_view text);

}  // namespace fathom::tools
