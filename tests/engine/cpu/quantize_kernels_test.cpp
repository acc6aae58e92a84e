#include "engine/cpu/quantize_kernels.hpp"

#include "engine/cpu/scalar_math.hpp"
#include "engine/model/quant_formats.hpp"
#include "tests/engine/cpu/canonical.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

using namespace fathom::engine;
using namespace fathom::test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> fp8_quantized(std::vector<float> x, std::size_t block) {
  round_to_fp8(x, block);
  return x;
}
std::vector<float> fp4_quantized(std::vector<float> x) {
  round_to_fp4(x);
  return x;
}

// Sizes from far below to far above the formats' ranges.
std::vector<float> many_sizes(std::int64_t n) {
  std::vector<float> x = random_vectors(1, n, 51);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] *= std::ldexp(1.0f, static_cast<int>(i / 256 % 60) - 30 + static_cast<int>(i % 7));
  return x;
}

}  // namespace

TEST_CASE("e4m3 and e2m1 codes decode and encode to themselves", "[engine]") {
  for (int code = 0; code < 256; ++code) {
    const float value = from_e4m3(static_cast<std::uint8_t>(code));
    if ((code & 0x7f) == 0x7f) {
      CHECK(std::isnan(value));
    } else {
      CHECK(to_e4m3(value) == code);
    }
  }
  for (int code = 0; code < 16; ++code)
    CHECK(to_e2m1(from_e2m1(static_cast<std::uint8_t>(code))) == code);
  CHECK(from_e4m3(0x7e) == 448);
  CHECK(from_e4m3(0x01) == 0x1p-9f);
  CHECK(to_e4m3(1e9f) == 0x7e);
  CHECK(to_e4m3(kNan) == 0x7f);
}

TEST_CASE("quantising equals the definition on every instruction set", "[engine]") {
  const std::vector<float> x = many_sizes(64 * 256);
  for (const Kernels* kernels : all_kernels()) {
    INFO(name_of(kernels->isa));
    for (const std::int64_t block : {64, 128}) {
      std::vector<float> y = x;
      kernels->fp8_quantize(y.data(), static_cast<std::int64_t>(y.size()), block);
      CHECK(same_bits(y, fp8_quantized(x, static_cast<std::size_t>(block))));
      std::vector<float> again = y;
      kernels->fp8_quantize(again.data(), static_cast<std::int64_t>(y.size()), block);
      CHECK(same_bits(again, y));
    }
    std::vector<float> y = x;
    kernels->fp4_quantize(y.data(), static_cast<std::int64_t>(y.size()));
    CHECK(same_bits(y, fp4_quantized(x)));
    std::vector<float> tail(x.begin(), x.begin() + 200);
    kernels->fp8_quantize(tail.data(), 200, 128);
    CHECK(same_bits(tail, fp8_quantized({x.begin(), x.begin() + 200}, 128)));
  }
}

TEST_CASE("a block with NaN or infinity becomes NaN, its neighbours do not", "[engine]") {
  for (const Kernels* kernels : all_kernels()) {
    for (const float bad : {kNan, kInfinity, -kInfinity}) {
      std::vector<float> x(256, 1.0f);
      x[130] = bad;
      std::vector<float> y = x;
      kernels->fp8_quantize(x.data(), 256, 128);
      CHECK(x[127] == 1);
      CHECK(std::all_of(x.begin() + 128, x.end(), [](float v) { return std::isnan(v); }));
      kernels->fp4_quantize(y.data(), 256);
      CHECK(y[127] == 1);
      CHECK(std::all_of(y.begin() + 128, y.begin() + 160, [](float v) { return std::isnan(v); }));
      CHECK(y[160] == 1);
    }
  }
}

TEST_CASE("a stored KV entry decodes to the quantised values, bit for bit", "[engine]") {
  for (const KvShape shape : {KvShape{448, 64}, KvShape{64, 32}, KvShape{64, 64}}) {
    std::vector<float> x = random_vectors(1, shape.dims(), 61);
    std::vector<float> expected = fp8_quantized(x, 64);
    for (std::int64_t i = shape.fp8_dims; i < shape.dims(); ++i)
      expected[static_cast<std::size_t>(i)] = from_bf16(to_bf16(x[static_cast<std::size_t>(i)]));
    const auto size = static_cast<std::size_t>(kv_entry_bytes(KvFormat::packed, shape));
    std::vector<std::byte> first;
    for (const Kernels* kernels : all_kernels()) {
      std::vector<std::byte> entry(size, std::byte{0xee});
      kernels->encode_kv(x.data(), shape, entry.data());
      if (first.empty()) first = entry;
      CHECK(entry == first);
      std::vector<float> y(x.size());
      kernels->decode_kv(entry.data(), shape, y.data());
      CHECK(same_bits(y, expected));
      // What was quantised before loses nothing more.
      kernels->encode_kv(expected.data(), shape, entry.data());
      kernels->decode_kv(entry.data(), shape, y.data());
      CHECK(same_bits(y, expected));
    }
  }
  CHECK(kv_entry_bytes(KvFormat::packed, {448, 64}) == 584);
}

TEST_CASE("a stored entry keeps NaN", "[engine]") {
  constexpr KvShape kShape{64, 32};
  for (const Kernels* kernels : all_kernels()) {
    std::vector<float> x(96, 1.0f);
    x[3] = kInfinity;
    x[70] = kNan;
    std::vector<std::byte> entry(
        static_cast<std::size_t>(kv_entry_bytes(KvFormat::packed, kShape)));
    kernels->encode_kv(x.data(), kShape, entry.data());
    std::vector<float> y(96);
    kernels->decode_kv(entry.data(), kShape, y.data());
    CHECK(std::all_of(y.begin(), y.begin() + 64, [](float v) { return std::isnan(v); }));
    CHECK(y[64] == 1);
    CHECK(std::isnan(y[70]));
  }
}

TEST_CASE("a stored index key decodes to the quantised values", "[engine]") {
  for (const std::int64_t dims : {32, 64, 128}) {
    const std::vector<float> x = random_vectors(1, dims, 71);
    const std::vector<float> expected = fp4_quantized(x);
    for (const Kernels* kernels : all_kernels()) {
      std::vector<std::byte> key(static_cast<std::size_t>(index_key_bytes(KvFormat::packed, dims)));
      kernels->encode_index_key(x.data(), dims, key.data());
      std::vector<float> y(x.size());
      kernels->decode_index_key(key.data(), dims, y.data());
      CHECK(same_bits(y, expected));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const auto byte = std::to_integer<std::uint8_t>(key[i / 2]);
        const float scale =
            e8m0_to_float(std::to_integer<std::uint8_t>(key[x.size() / 2 + i / 32]));
        CHECK(from_e2m1(static_cast<std::uint8_t>(byte >> (i % 2 * 4))) * scale == y[i]);
      }
    }
  }
  CHECK(index_key_bytes(KvFormat::packed, 128) == 68);
}
