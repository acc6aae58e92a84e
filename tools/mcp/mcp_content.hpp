// What a tool's result is for the model: its text, in order, and a line for what is no text. Pure.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/tool.hpp"

#include <string_view>

namespace fathom::tools {

inline constexpr std::size_t kContentItemsMax = 256;            // of one result
inline constexpr std::size_t kStructuredBytesMax = 64UL << 10;  // kept in data
inline constexpr std::size_t kContentNameBytesMax = 200;        // of a URI or a media type shown

/// The result of tools/call. `isError` makes it a failed call whose text says why. data:
/// {"items":[{"type":"text","bytes":N}|{"type":"image","mime":…,"bytes":N}|…],"structured":…},
/// `structured` only when the server sent structuredContent of at most kStructuredBytesMax.
Result<ToolOutput> content_output(std::string_view result);

}  // namespace fathom::tools
