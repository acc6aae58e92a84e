// Writes JSON as Python's json.dumps does: the form in which the official encoder shows tools,
// schemas and arguments to the model.
#pragma once

#include "engine/text/json_value.hpp"

#include <string>
#include <string_view>

namespace fathom::engine {

/// json.dumps(value, ensure_ascii=False): ", " and ": " between, floats as repr() prints them,
/// integers of any size. A value that holds a lone surrogate is written with \uXXXX throughout, as
/// the official encoder falls back to.
[[nodiscard]] std::string to_python_json(const JsonValue& value);

/// Appends `text` as the inside of a JSON string, without the quotes, escaped as to_python_json
/// does. Whole UTF-8 sequences or single bytes: the pieces of a text give the same as the text.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace fathom::engine
