// Small pieces of JSON for request bodies, written in a fixed order, and safe reading of answers.
#pragma once

#include "engine/text/json_value.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace fathom::engine {

/// Appends `text` as a JSON string. What is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
/// `"key":"text"`.
void append_json_field(std::string& out, std::string_view key, std::string_view text);
/// The shortest digits that read back as `value`.
[[nodiscard]] std::string json_number(double value);

/// The value behind a path of keys; null where one is missing or stands on something else.
[[nodiscard]] const JsonValue* find_path(const JsonValue& value,
                                         std::initializer_list<std::string_view> keys);
/// The text of a string, valid UTF-8; "" for a missing value or one of another kind.
[[nodiscard]] std::string text_of(const JsonValue* value);
/// A count; 0 for what is none or absurdly large.
[[nodiscard]] std::uint64_t count_of(const JsonValue* value);
/// Whether `text` is one JSON object.
[[nodiscard]] bool is_json_object(std::string_view text);

}  // namespace fathom::engine
