// JSON with the model's eyes: what a chat holds is shown to the model byte for byte as Python's
// json module would print it, so a value keeps its order, its number spellings and even a lone
// surrogate from the text it came in to the text the model sees. No library at hand does: they sort
// keys, turn 1.0 into 1, round large integers or refuse what Python accepts.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

struct JsonValue {
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

  Kind kind = Kind::null;
  bool boolean = false;
  std::string text;  ///< number: as spelled. string: UTF-8, a lone surrogate as its three bytes
  std::vector<std::string> keys;  ///< object: each once, where it first stood
  std::vector<JsonValue> items;   ///< array: the elements. object: the value of each key

  [[nodiscard]] bool is(Kind wanted) const { return kind == wanted; }
  /// The value of `key`, or null when this is no object or lacks it.
  [[nodiscard]] const JsonValue* find(std::string_view key) const;

  friend bool operator==(const JsonValue&, const JsonValue&) = default;
};

/// `python` also takes what json.loads takes beyond the standard: NaN, Infinity, -Infinity.
enum class JsonDialect : std::uint8_t { standard, python };

constexpr int kJsonDepthMax = 256;  // arrays and objects inside each other

/// The one value that is all of `text`. Of a key that stands twice the last value counts, at the
/// first one's place, as in a Python dict. Errors are `byte 17: …`.
Result<JsonValue> parse_json(std::string_view text, JsonDialect dialect = JsonDialect::standard);

}  // namespace fathom::engine
