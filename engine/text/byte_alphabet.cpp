#include "engine/text/byte_alphabet.hpp"

#include "engine/text/utf8.hpp"

#include <array>

namespace fathom::engine {
namespace {

// Printable Latin-1 stands for itself; the other 68 bytes, in order, for U+0100 and on.
struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<std::int16_t, 256 + 68> byte{};

  constexpr Alphabet() {
    byte.fill(-1);
    char32_t next = 256;
    for (char32_t b = 0; b < 256; ++b) {
      const bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 255 && b != 173);
      character[b] = itself ? b : next++;
      byte[character[b]] = static_cast<std::int16_t>(b);
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) append_utf8(out, kAlphabet.character[static_cast<std::uint8_t>(c)]);
  return out;
}

std::optional<std::string> from_byte_alphabet(std::string_view spelled) {
  std::string out;
  const char* end = spelled.data() + spelled.size();
  for (const char* at = spelled.data(); at != end;) {
    const CodePoint point = decode_utf8(at, end);
    if (point.value >= kAlphabet.byte.size() || kAlphabet.byte[point.value] < 0)
      return std::nullopt;
    out += static_cast<char>(kAlphabet.byte[point.value]);
    at += point.size;
  }
  return out;
}

}  // namespace fathom::engine
