// Slices of a JSON text: the very bytes of one member or element. A tool's schema is shown to the
// model as its server wrote it, keys in their order, and a result is not taken apart twice. The
// text has been parsed before: these functions only find their way in what is known to be JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

/// The first value of that key, "" when `object` is no object or has none. Keys compare as they
/// are written: one spelled with escapes is not found.
std::string_view json_member(std::string_view object, std::string_view key);

/// The elements of an array, at most `count_max`; none when `array` is no array.
std::vector<std::string_view> json_elements(std::string_view array, std::size_t count_max);

/// Without the white space between the tokens.
std::string json_without_space(std::string_view json);

}  // namespace fathom::tools
