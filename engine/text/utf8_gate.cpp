#include "engine/text/utf8_gate.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <utility>

namespace fathom::engine {
namespace {

// Whether more bytes could make `tail` (one to three bytes) a code point: if some continuation
// does.
bool may_become_code_point(std::string_view tail) {
  for (const char next : {'\x80', '\x90', '\xA0'}) {
    std::string longer(tail);
    while (longer.size() < 4) {
      longer += longer.size() == 1 ? next : '\x80';
      if (find_invalid_utf8(longer) == std::string_view::npos) return true;
    }
  }
  return false;
}

}  // namespace

std::string Utf8Gate::pass(std::string_view bytes) {
  held_ += bytes;
  std::size_t back = 0;
  for (std::size_t i = 1; i <= std::min<std::size_t>(3, held_.size()); ++i) {
    const auto byte = static_cast<unsigned char>(held_[held_.size() - i]);
    if (byte >= 0xC0 && may_become_code_point(std::string_view(held_).substr(held_.size() - i)))
      back = i;
    if (byte < 0x80 || byte >= 0xC0) break;
  }
  std::string out = to_valid_utf8(std::string_view(held_).substr(0, held_.size() - back));
  held_.erase(0, held_.size() - back);
  return out;
}

std::string Utf8Gate::flush() { return to_valid_utf8(std::exchange(held_, {})); }

}  // namespace fathom::engine
