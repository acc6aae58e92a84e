// Any bytes as text: cutting, mending and printing keep their promises.
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fathom;
  if (size == 0) return 0;
  const std::size_t bound = data[0];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view head = clip_prefix(text, bound);
  const std::string_view tail = clip_suffix(text, bound);
  ENSURE(head.size() <= bound && text.starts_with(head), "a prefix within its bound");
  ENSURE(tail.size() <= bound && text.ends_with(tail), "a suffix within its bound");
  ENSURE(text.size() <= bound || head.size() + 3 >= bound, "no whole code point is lost");
  ENSURE(text.size() <= bound || tail.size() + 3 >= bound, "no whole code point is lost");
  ENSURE(clip_middle(text, bound).size() <= std::max(bound, text.size() <= bound ? text.size() : 0),
         "within its bound");
  const bool valid = find_invalid_utf8(text) == std::string_view::npos;
  if (valid) {
    ENSURE(find_invalid_utf8(head) == std::string_view::npos, "a cut does not break text");
    ENSURE(find_invalid_utf8(tail) == std::string_view::npos, "a cut does not break text");
    ENSURE(find_invalid_utf8(clip_middle(text, bound)) == std::string_view::npos,
           "a cut does not break text");
  }
  ENSURE(find_invalid_utf8(to_valid_utf8(text)) == std::string_view::npos,
         "mended text is well formed");
  ENSURE(!valid || to_valid_utf8(text) == text, "well-formed text is left alone");
  for (const char c : to_printable(text))
    ENSURE(static_cast<unsigned char>(c) >= 0x20, "no control characters");
  return 0;
}
