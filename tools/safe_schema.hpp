// safe_schema(): what of a JSON Schema may be handed to the validator. Servers of other people send
// schemas; the validator follows references without looking back and runs regular expressions by
// recursion, so a few bytes could take all of the stack or of the time.
#pragma once

#include "runtime/base/result.hpp"

#include <string>
#include <string_view>

namespace fathom::tools {

inline constexpr std::size_t kSchemaBytesMax = 256UL << 10;
inline constexpr int kSchemaDepthMax = 64;
inline constexpr std::size_t kSchemaNodesMax = 20'000;  // with every reference written out

/// The schema, an object, as text, without `pattern`, `patternProperties` and `format`: arguments
/// that break these are refused by the tool itself. Errors: `too_large` beyond the bounds,
/// `bad_data` for what is no JSON object, for references that lead nowhere, elsewhere, or back to
/// where they stand.
Result<std::string> safe_schema(std::string_view parameters);

}  // namespace fathom::tools
