#include "engine/local/counter_random.hpp"

#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>

using namespace fathom::engine;

TEST_CASE("philox gives the published answers", "[engine]") {
  // Random123's kat_vectors, philox4x32 10.
  using Words = std::array<std::uint32_t, 4>;
  constexpr std::uint32_t kOnes = 0xFFFFFFFF;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a draw is a function of seed and position, below one and evenly spread", "[engine]") {
  CHECK(uniform_at(1, 2) == uniform_at(1, 2));
  CHECK(uniform_at(1, 2) != uniform_at(2, 1));
  CHECK(uniform_at(1, std::uint64_t{1} << 32) != uniform_at(1, 0));
  constexpr int kDraws = 64'000;
  std::array<int, 64> counts{};
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double draw = uniform_at(7, i);
    REQUIRE((draw >= 0 && draw < 1));
    ++counts[static_cast<std::size_t>(draw * 64)];
  }
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - kDraws / 64.0, 2) / (kDraws / 64.0);
  CHECK(chi_square < 103.4);  // 63 degrees of freedom, p = 0.001
}
