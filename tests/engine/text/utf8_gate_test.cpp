#include "engine/text/utf8_gate.hpp"

#include "runtime/base/text.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random_text.hpp"

#include <random>

using fathom::engine::Utf8Gate;

TEST_CASE("a code point is held until it is whole", "[text]") {
  Utf8Gate gate;
  CHECK(gate.pass("a\xE4\xBD") == "a");
  CHECK(gate.pass("\xA0 b\xF0") == "你 b" + std::string());
  CHECK(gate.pass("\x9F\x98") == "");
  CHECK(gate.flush() == "\uFFFD");
  CHECK(gate.pass("\xE4") == "");
  CHECK(gate.pass("x") == "\uFFFDx");
  CHECK(gate.pass("\xED\xA0") == "\uFFFD\uFFFD");  // a surrogate: no continuation makes it valid
}

TEST_CASE("however bytes are cut, they come through as mended whole", "[text]") {
  std::mt19937 random(1);
  for (int i = 0; i < 5'000; ++i) {
    const std::string text = fathom::test::random_damaged(random, 1 + random() % 20);
    Utf8Gate gate;
    std::string joined;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min(text.size() - at, 1 + random() % 5);
      joined += gate.pass(std::string_view(text).substr(at, size));
      at += size;
    }
    joined += gate.flush();
    if (joined != fathom::to_valid_utf8(text)) CHECK(joined == fathom::to_valid_utf8(text));
  }
}
