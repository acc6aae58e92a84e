// What is wrong with a value that a schema refuses, in our words. The validator decides; this only
// looks for the place and says it, so what it does not know costs a sentence and nothing else.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom::tools {

/// `'old_str' must be a string, not a number`, `missing 'b' in 'files[0]'`; nothing when no keyword
/// that it knows is broken. `value` was found wrong by `schema`, both are JSON.
std::optional<std::string> schema_complaint(std::string_view schema, std::string_view value);

/// A name or value of somebody else, short and printable, in quotes.
std::string in_quotes(std::string_view name);

}  // namespace fathom::tools
