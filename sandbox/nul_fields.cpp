#include "sandbox/nul_fields.hpp"

#include <charconv>

namespace fathom::sandbox {

void add_field(std::string& out, std::string_view field) {
  out += field;
  out += '\0';
}

void add_field(std::string& out, std::uint64_t number) { add_field(out, std::to_string(number)); }

Result<std::string_view> FieldReader::text() {
  const std::size_t end = rest_.find('\0');
  if (end == std::string_view::npos) return fail(ErrorCode::bad_data, "cut short");
  const std::string_view field = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return field;
}

Result<std::uint64_t> FieldReader::number(std::uint64_t max) {
  const std::string_view field = TRY(text());
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size() || value > max)
    return fail(ErrorCode::bad_data, "not a number in its bounds");
  return value;
}

}  // namespace fathom::sandbox
