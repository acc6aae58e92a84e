#include "policies/policy_pins.hpp"

#include "policies/policy_text.hpp"
#include "tests/support/catch.hpp"

using namespace fathom::policies;

TEST_CASE("pins are lines of sha256sum", "[policies]") {
  const std::string hash = sha256_hex("hello\n");
  CHECK(hash == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  const auto pins =
      parse_pins("# mine\n\n" + hash + "  /a/b c.yaml\n" + hash + " */d\n", "pins").value();
  CHECK(pins == std::vector<Pin>{{hash, "/a/b c.yaml"}, {hash, "/d"}});
  CHECK(is_pinned(pins, "/d", "hello\n"));
  CHECK_FALSE(is_pinned(pins, "/d", "hello"));    // changed
  CHECK_FALSE(is_pinned(pins, "/e", "hello\n"));  // elsewhere
  CHECK_FALSE(is_pinned({}, "/d", "hello\n"));
}

TEST_CASE("a line that is no pin is refused with its number", "[policies]") {
  const std::string hash(64, 'a');
  for (const std::string& line :
       {std::string("x"), hash, hash + " /a", hash + "  a", hash + "  /a/../b",
        hash.substr(1) + "  /a", std::string(64, 'A') + "  /a", hash + "  /a/",
        std::string(64, 'g') + "  /a"}) {
    const auto pins = parse_pins("# one\n" + line + "\n", "pins");
    INFO(line);
    REQUIRE_FALSE(pins);
    CHECK(pins.error().message.starts_with("pins: line 2: column 1: a pin is a line of"));
  }
}
