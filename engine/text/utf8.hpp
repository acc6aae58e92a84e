// One code point at a time, in and out: what the tokenizer's scanner and the JSON reader need
// beside the whole-text functions of runtime/base/text.hpp.
#pragma once

#include <cstdint>
#include <string>

namespace fathom::engine {

struct CodePoint {
  static constexpr char32_t kIllFormed = 0xFFFFFFFF;

  char32_t value = kIllFormed;
  std::uint8_t size = 1;  ///< bytes; an ill-formed sequence counts byte by byte
};

/// The code point at `at`, which is before `end`. Well-formed as runtime/base/text.hpp defines it.
[[nodiscard]] inline CodePoint decode_utf8(const char* at, const char* end) {
  const auto byte = [at](int i) { return static_cast<std::uint8_t>(at[i]); };
  const auto tail = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
  const auto bits = [&](int i) { return static_cast<char32_t>(byte(i) & 0x3F); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) {
    if (lead < 0xC2 || end - at < 2 || !tail(1)) return {};
    return {static_cast<char32_t>((lead & 0x1F) << 6) | bits(1), 2};
  }
  if (lead < 0xF0) {
    if (end - at < 3 || !tail(1) || !tail(2)) return {};
    const char32_t value = static_cast<char32_t>((lead & 0x0F) << 12) | bits(1) << 6 | bits(2);
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    return value < 0x800 || surrogate ? CodePoint{} : CodePoint{value, 3};
  }
  if (lead > 0xF4 || end - at < 4 || !tail(1) || !tail(2) || !tail(3)) return {};
  const char32_t value =
      static_cast<char32_t>((lead & 0x07) << 18) | bits(1) << 12 | bits(2) << 6 | bits(3);
  return value < 0x10000 || value > 0x10FFFF ? CodePoint{} : CodePoint{value, 4};
}

/// Appends `value`; a surrogate becomes the three bytes that UTF-8 would have for it.
inline void append_utf8(std::string& out, char32_t value) {
  const auto byte = [&out](char32_t bits) { out += static_cast<char>(bits); };
  if (value < 0x80) {
    byte(value);
  } else if (value < 0x800) {
    byte(0xC0 | value >> 6);
    byte(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    byte(0xE0 | value >> 12);
    byte(0x80 | (value >> 6 & 0x3F));
    byte(0x80 | (value & 0x3F));
  } else {
    byte(0xF0 | value >> 18);
    byte(0x80 | (value >> 12 & 0x3F));
    byte(0x80 | (value >> 6 & 0x3F));
    byte(0x80 | (value & 0x3F));
  }
}

}  // namespace fathom::engine
