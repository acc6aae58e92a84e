// Files of a transaction: fields with a NUL behind each, as names may hold any other byte.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::sandbox {

/// `field` must not hold a NUL.
void add_field(std::string& out, std::string_view field);
void add_field(std::string& out, std::uint64_t number);

/// Reads what add_field wrote; `bad_data` for anything else.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}
  Result<std::string_view> text();
  Result<std::uint64_t> number(std::uint64_t max);
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace fathom::sandbox
