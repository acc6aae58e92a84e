#include "policies/quantity.hpp"

#include "tests/support/catch.hpp"

#include <random>
#include <utility>
#include <vector>

using namespace fathom::policies;
using namespace std::chrono_literals;

TEST_CASE("sizes and durations print as what reads back the same", "[policies]") {
  CHECK(format_size(4ULL << 30) == "4GiB");
  CHECK(format_size(1025) == "1025B");
  CHECK(format_size(0) == "0B");
  CHECK(format_duration(600'000ms) == "10m");
  CHECK(format_duration(1500ms) == "1500ms");
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t bytes = (random() >> (random() % 64)) & (kSizeMax - 1);
    REQUIRE(parse_size(format_size(bytes)) == bytes);
    const std::chrono::milliseconds time(static_cast<std::int64_t>(random() % 31'536'000'000));
    REQUIRE(parse_duration(format_duration(time)) == time);
  }
}

TEST_CASE("a number beyond its bound is nothing, not a smaller number", "[policies]") {
  CHECK(parse_decimal("18446744073709551615", ~0ULL) == ~0ULL);
  CHECK_FALSE(parse_decimal("18446744073709551616", ~0ULL));
  CHECK_FALSE(parse_decimal("184467440737095516150", ~0ULL));
  CHECK_FALSE(parse_decimal("7", 5));
  CHECK_FALSE(parse_size("4611686018427387905"));
  CHECK_FALSE(parse_size("16777216TiB"));
  CHECK(parse_duration("8760h") == kDurationMax);
  CHECK_FALSE(parse_duration("8761h"));
}

TEST_CASE("a decimal fraction has one form, whatever the locale", "[policies]") {
  for (const auto& [text, value] : std::vector<std::pair<const char*, double>>{
           {"0", 0}, {"0.85", 0.85}, {"12", 12}, {"0.000001", 1e-6}, {"1000000000", 1e9}}) {
    CHECK(parse_decimal_fraction(text) == value);
    CHECK(format_decimal_fraction(value) == text);
  }
  CHECK(parse_decimal_fraction("1.50") == 1.5);
  for (const char* text : {"", ".", ".5", "1.", "+1", "-1", "1e3", "01", "00.5", "0,5", "1.2.3",
                           "0.1234567", "1000000001", "nan", "inf", "0x1", " 1", "1 "}) {
    INFO(text);
    CHECK_FALSE(parse_decimal_fraction(text));
  }
}
