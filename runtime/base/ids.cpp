#include "runtime/base/ids.hpp"

#include <algorithm>

namespace fathom {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    const auto upper = static_cast<unsigned char>(kAlphabet[i]);
    values[upper] = static_cast<std::int8_t>(i);
    if (upper >= 'A') values[upper + ('a' - 'A')] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto kValues = make_values();

}  // namespace

Result<Ulid> Ulid::parse(std::string_view text) {
  if (text.size() != kTextSize)
    return fail(ErrorCode::bad_data, "id '" + std::string(text.substr(0, 40)) +
                                         "' is not a ULID of " + std::to_string(kTextSize) +
                                         " characters");
  // 26 characters hold 130 bits: the first may only be 0..7, so that the value fits 128.
  if (kValues[static_cast<unsigned char>(text[0])] > 7)
    return fail(ErrorCode::bad_data, "id '" + std::string(text) + "' is larger than a ULID can be");
  unsigned __int128 value = 0;
  for (char c : text) {
    const int digit = kValues[static_cast<unsigned char>(c)];
    if (digit < 0)
      return fail(ErrorCode::bad_data,
                  "id '" + std::string(text) + "' holds a character outside Crockford's base 32");
    value = (value << 5) | static_cast<unsigned>(digit);
  }
  Ulid ulid;
  for (std::size_t i = 16; i-- > 0; value >>= 8)
    ulid.bytes[i] = static_cast<std::uint8_t>(value & 0xff);
  return ulid;
}

void Ulid::append_to(std::string& out) const {
  unsigned __int128 value = 0;
  for (std::uint8_t byte : bytes) value = (value << 8) | byte;
  std::array<char, kTextSize> text;
  for (std::size_t i = kTextSize; i-- > 0; value >>= 5)
    text[i] = kAlphabet[static_cast<std::size_t>(value & 31)];
  out.append(text.data(), text.size());
}

std::string Ulid::to_string() const {
  std::string out;
  append_to(out);
  return out;
}

std::uint64_t Ulid::unix_ms() const {
  std::uint64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i) ms = (ms << 8) | bytes[i];
  return ms;
}

Ulid UlidSource::next(std::uint64_t unix_ms) {
  if (unix_ms <= last_.unix_ms()) {
    // Same millisecond (or a clock that stepped back): count the whole value up by one.
    for (std::size_t i = last_.bytes.size(); i-- > 0;) {
      if (++last_.bytes[i] != 0) break;
    }
    return last_;
  }
  for (std::size_t i = 6; i-- > 0; unix_ms >>= 8)
    last_.bytes[i] = static_cast<std::uint8_t>(unix_ms & 0xff);
  for (std::size_t i = 6; i < last_.bytes.size(); i += 2) {
    const std::uint64_t bits = random_();
    last_.bytes[i] = static_cast<std::uint8_t>(bits & 0xff);
    last_.bytes[i + 1] = static_cast<std::uint8_t>((bits >> 8) & 0xff);
  }
  return last_;
}

}  // namespace fathom
