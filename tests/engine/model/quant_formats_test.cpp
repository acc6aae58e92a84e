#include "engine/model/quant_formats.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/golden_model.hpp"
#include "tests/support/skip.hpp"

#include <algorithm>
#include <cmath>
#include <random>

using namespace fathom;
using namespace fathom::engine;

TEST_CASE("every code survives decoding and encoding", "[engine]") {
  for (int code = 0; code < 256; ++code) {
    const auto c = static_cast<std::uint8_t>(code);
    if ((code & 0x7f) == 0x7f) {
      CHECK(std::isnan(from_e4m3(c)));
      continue;
    }
    CHECK(int{to_e4m3(from_e4m3(c))} == code);
  }
  for (int code = 0; code < 16; ++code)
    CHECK(int{to_e2m1(from_e2m1(static_cast<std::uint8_t>(code)))} == code);
}

TEST_CASE("encoding takes the nearest code, ties the even one", "[engine]") {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> exponent(-12, 10);
  for (int i = 0; i < 20000; ++i) {
    const float x = std::exp2(exponent(random)) * (i % 2 ? 1.0F : -1.0F);
    const float wanted = std::clamp(x, -kE4m3Max, kE4m3Max);
    float nearest = INFINITY;
    for (int code = 0; code < 256; ++code)
      if ((code & 0x7f) != 0x7f)
        nearest = std::min(nearest, std::abs(wanted - from_e4m3(static_cast<std::uint8_t>(code))));
    REQUIRE(std::abs(wanted - from_e4m3(to_e4m3(x))) == nearest);
  }
  CHECK(from_e4m3(to_e4m3(17.0F)) == 16);  // between 16 and 18
  CHECK(from_e4m3(to_e4m3(19.0F)) == 20);
  CHECK(from_e2m1(to_e2m1(2.5F)) == 2);
  CHECK(from_e2m1(to_e2m1(5.0F)) == 4);
  CHECK(from_e2m1(to_e2m1(0.25F)) == 0);
  CHECK(from_e2m1(to_e2m1(-100.0F)) == -6);
}

TEST_CASE("bf16 keeps what it can and rounds the rest to even", "[engine]") {
  CHECK(from_bf16(to_bf16(1.0F)) == 1.0F);
  CHECK(from_bf16(to_bf16(1.00390625F)) == 1.0F);       // a tie, down to even
  CHECK(from_bf16(to_bf16(1.01171875F)) == 1.015625F);  // a tie, up to even
  CHECK(std::isnan(from_bf16(to_bf16(std::nanf("")))));
}

TEST_CASE("rounding to a grid equals the official kernels", "[engine][golden]") {
  const auto file = test::vectors_dir() / "v4" / "units" / "units.safetensors";
  if (!std::filesystem::exists(file))
    return test::skip("no unit vectors at " + file.string() + ": rounding was not compared");
  const auto units = test::read_expected(file);
  const auto check = [&](const char* in, const char* out, const auto& round) {
    const auto& input = units.at(in);
    const auto& expected = units.at(out);
    for (std::int64_t r = 0; r < input.shape[0]; ++r) {
      std::vector<float> row(input.row(r).begin(), input.row(r).end());
      round(row);
      CHECK(std::ranges::equal(row, expected.row(r)));
    }
  };
  check("fp8.in", "fp8_b128.out", [](std::vector<float>& x) { round_to_fp8(x, 128); });
  check("fp8.in", "fp8_b64.out", [](std::vector<float>& x) { round_to_fp8(x, 64); });
  check("fp4.in", "fp4_b32.out", [](std::vector<float>& x) { round_to_fp4(x); });
  const auto& values = units.at("round.in").values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(from_e4m3(to_e4m3(values[i])) == units.at("round.e4m3").values[i]);
    CHECK(from_e2m1(to_e2m1(values[i])) == units.at("round.e2m1").values[i]);
  }
  for (std::size_t code = 0; code < 256; ++code)
    if ((code & 0x7f) != 0x7f)
      CHECK(from_e4m3(static_cast<std::uint8_t>(code)) == units.at("e4m3_table").values[code]);
}
