#include "engine/remote/wire_json.hpp"

#include "engine/text/python_json.hpp"
#include "runtime/base/text.hpp"

#include <array>
#include <charconv>

namespace fathom::engine {
namespace {

// Sums and differences of counts must not wrap, whatever a server says.
constexpr std::uint64_t kCountMax = 1ULL << 48;

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  if (find_invalid_utf8(text) == std::string_view::npos) {
    append_json_escaped(out, text);
  } else {
    append_json_escaped(out, to_valid_utf8(text));
  }
  out += '"';
}

void append_json_field(std::string& out, std::string_view key, std::string_view text) {
  append_json_string(out, key);
  out += ':';
  append_json_string(out, text);
}

std::string json_number(double value) {
  std::array<char, 32> buffer{};  // 17 digits, sign, point and a three-digit exponent fit
  char* const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

const JsonValue* find_path(const JsonValue& value, std::initializer_list<std::string_view> keys) {
  const JsonValue* at = &value;
  for (const std::string_view key : keys) {
    at = at->find(key);
    if (!at) return nullptr;
  }
  return at;
}

std::string text_of(const JsonValue* value) {
  if (!value || !value->is(JsonValue::Kind::string)) return {};
  // A lone surrogate is read as three bytes that are no UTF-8.
  return to_valid_utf8(value->text);
}

std::uint64_t count_of(const JsonValue* value) {
  if (!value || !value->is(JsonValue::Kind::number)) return 0;
  std::uint64_t count = 0;
  const char* end = value->text.data() + value->text.size();
  const auto [rest, error] = std::from_chars(value->text.data(), end, count);
  return error == std::errc() && rest == end && count <= kCountMax ? count : 0;
}

bool is_json_object(std::string_view text) {
  const auto value = parse_json(text);
  return value && value->is(JsonValue::Kind::object);
}

}  // namespace fathom::engine
