#include "engine/text/python_json.hpp"

#include "engine/text/utf8.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace fathom::engine {
namespace {

enum class Escape : std::uint8_t { control, all_but_ascii };

void append_u_escape(std::string& out, char32_t unit) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[unit >> shift & 0xF];
}

bool has_surrogate(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i)
    if (text[i] == '\xED' && static_cast<unsigned char>(text[i + 1]) >= 0xA0) return true;
  return false;
}

bool has_surrogate(const JsonValue& value) {
  if (value.is(JsonValue::Kind::string) && has_surrogate(value.text)) return true;
  for (const std::string& key : value.keys)
    if (has_surrogate(key)) return true;
  for (const JsonValue& item : value.items)
    if (has_surrogate(item)) return true;
  return false;
}

// The value is UTF-8 but for surrogates, which are three bytes like any code point up to U+FFFF.
void append_ascii(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x7F) {
      append_json_escaped(out, text.substr(i++, 1));
      continue;
    }
    CodePoint point = decode_utf8(text.data() + i, text.data() + text.size());
    if (point.value == CodePoint::kIllFormed && text.size() - i >= 3) {
      const auto bits = [&](std::size_t k) { return static_cast<char32_t>(text[i + k] & 0x3F); };
      point = {0xD000 | bits(1) << 6 | bits(2), 3};
    }
    i += point.size;
    if (point.value < 0x10000) {
      append_u_escape(out, point.value);
    } else {
      append_u_escape(out, 0xD800 + ((point.value - 0x10000) >> 10));
      append_u_escape(out, 0xDC00 + ((point.value - 0x10000) & 0x3FF));
    }
  }
}

// repr(float): the shortest digits that read back the same, in exponent form below 1e-4 and from
// 1e16 on.
std::string python_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::array<char, 32> buffer{};  // 17 digits, sign, point and a three-digit exponent fit
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific)
                       .ptr;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const std::size_t mark = text.find('e');
  std::string digits;
  for (char c : text.substr(0, mark))
    if (c != '.' && c != '-') digits += c;
  int exponent = 0;
  const std::string_view spelled = text.substr(mark + (text[mark + 1] == '+' ? 2 : 1));
  std::from_chars(spelled.data(), spelled.data() + spelled.size(), exponent);
  const std::string sign = text.front() == '-' ? "-" : "";

  if (exponent < -4 || exponent >= 16) {
    std::string out = sign + digits.substr(0, 1);
    if (digits.size() > 1) out += "." + digits.substr(1);
    const int size = std::abs(exponent);
    return out + (exponent < 0 ? "e-" : "e+") + (size < 10 ? "0" : "") + std::to_string(size);
  }
  if (exponent < 0)
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string python_number(const std::string& spelled) {
  if (spelled.ends_with('N') || spelled.ends_with('y')) return spelled;  // NaN, Infinity
  if (spelled == "-0") return "0";
  if (spelled.find_first_of(".eE") == std::string::npos) return spelled;
  double value = 0;
  const auto read = std::from_chars(spelled.data(), spelled.data() + spelled.size(), value);
  // Out of a double's range from_chars leaves the value unset; Python has infinity or zero.
  if (read.ec == std::errc::result_out_of_range) value = std::strtod(spelled.c_str(), nullptr);
  return python_float(value);
}

class Writer {
 public:
  explicit Writer(Escape escape) : escape_(escape) {}

  void write(const JsonValue& value) {
    switch (value.kind) {
      case JsonValue::Kind::null:
        out_ += "null";
        break;
      case JsonValue::Kind::boolean:
        out_ += value.boolean ? "true" : "false";
        break;
      case JsonValue::Kind::number:
        out_ += python_number(value.text);
        break;
      case JsonValue::Kind::string:
        write_string(value.text);
        break;
      default:
        write_items(value);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  void write_string(std::string_view text) {
    out_ += '"';
    if (escape_ == Escape::control) {
      append_json_escaped(out_, text);
    } else {
      append_ascii(out_, text);
    }
    out_ += '"';
  }

  void write_items(const JsonValue& value) {
    const bool object = value.is(JsonValue::Kind::object);
    out_ += object ? '{' : '[';
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      if (i > 0) out_ += ", ";
      if (object) {
        write_string(value.keys[i]);
        out_ += ": ";
      }
      write(value.items[i]);
    }
    out_ += object ? '}' : ']';
  }

  Escape escape_;
  std::string out_;
};

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kNamed = "\"\\\b\f\n\r\t";
  constexpr std::string_view kNames = "\"\\bfnrt";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && c != '"' && c != '\\') {
      out += c;
    } else if (const std::size_t which = kNamed.find(c); which != std::string_view::npos) {
      out += '\\';
      out += kNames[which];
    } else {
      append_u_escape(out, byte);
    }
  }
}

std::string to_python_json(const JsonValue& value) {
  Writer writer(has_surrogate(value) ? Escape::all_but_ascii : Escape::control);
  writer.write(value);
  return writer.take();
}

}  // namespace fathom::engine
