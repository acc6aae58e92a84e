#include "tests/engine/cpu/canonical.hpp"

#include "engine/cpu/scalar_math.hpp"
#include "engine/model/quant_formats.hpp"

#include <cmath>

using namespace fathom::engine;

namespace fathom::test {
namespace {

std::uint8_t byte_at(const WeightMatrix& w, std::int64_t at) {
  return std::to_integer<std::uint8_t>(w.data[at]);
}

template <class Word>
Word word_at(const WeightMatrix& w, std::int64_t index) {
  Word word;
  std::memcpy(&word, w.data + index * static_cast<std::int64_t>(sizeof word), sizeof word);
  return word;
}

float random_float(std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  const auto kind = random() % 64;
  if (kind == 0) return 0;
  if (kind == 1) return normal(random) * 1e-41f;
  if (kind == 2) return normal(random) * 1e6f;
  return normal(random);
}

void fill_floats(OwnedMatrix& matrix, std::mt19937_64& random) {
  const bool wide = matrix.view.format == WeightFormat::f32;
  const std::int64_t count = matrix.view.rows * matrix.view.cols;
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = random_float(random);
    const std::uint16_t word = to_bf16(value);
    if (wide) {
      std::memcpy(matrix.data.data() + 4 * i, &value, 4);
    } else {
      std::memcpy(matrix.data.data() + 2 * i, &word, 2);
    }
  }
}

void fill_codes(OwnedMatrix& matrix, std::mt19937_64& random) {
  std::size_t next = 0;
  for (std::byte& byte : matrix.data) {
    // The first 256 are all codes in order.
    auto code = static_cast<std::uint8_t>(next < 256 ? next : random());
    if (matrix.view.format == WeightFormat::fp8 && (code & 0x7f) == 0x7f) code ^= 1;
    byte = std::byte{code};
    ++next;
  }
}

}  // namespace

OwnedMatrix random_matrix(WeightFormat format, std::int64_t rows, std::int64_t cols,
                          std::uint64_t seed) {
  std::mt19937_64 random(seed);
  OwnedMatrix matrix;
  matrix.view = {format, rows, cols, nullptr, nullptr};
  matrix.data.resize(static_cast<std::size_t>(rows * row_bytes(format, cols)));
  if (format == WeightFormat::fp8)
    matrix.scales.resize(static_cast<std::size_t>((rows + 127) / 128 * ((cols + 127) / 128)));
  if (format == WeightFormat::fp4)
    matrix.scales.resize(static_cast<std::size_t>(rows * (cols / 32)));
  for (std::uint8_t& scale : matrix.scales) scale = static_cast<std::uint8_t>(110 + random() % 30);
  if (!matrix.scales.empty()) matrix.scales.front() = 0;  // 2^-127, subnormal
  if (matrix.scales.empty()) {
    fill_floats(matrix, random);
  } else {
    fill_codes(matrix, random);
  }
  matrix.data.shrink_to_fit();
  matrix.scales.shrink_to_fit();
  matrix.view.data = matrix.data.data();
  matrix.view.scales = matrix.scales.empty() ? nullptr : matrix.scales.data();
  return matrix;
}

std::vector<float> random_vectors(std::int64_t n, std::int64_t cols, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> x(static_cast<std::size_t>(n * cols));
  for (float& value : x) value = random_float(random);
  return x;
}

float weight_code(const WeightMatrix& w, std::int64_t row, std::int64_t col) {
  const std::int64_t index = row * w.cols + col;
  switch (w.format) {
    case WeightFormat::f32:
      return word_at<float>(w, index);
    case WeightFormat::bf16:
      return from_bf16(word_at<std::uint16_t>(w, index));
    case WeightFormat::fp8:
      return from_e4m3(byte_at(w, index));
    case WeightFormat::fp4:
      return from_e2m1(static_cast<std::uint8_t>(byte_at(w, index / 2) >> (index % 2 * 4)));
  }
  return 0;
}

float weight_scale(const WeightMatrix& w, std::int64_t row, std::int64_t col) {
  if (w.format == WeightFormat::fp8)
    return e8m0_to_float(w.scales[row / 128 * ((w.cols + 127) / 128) + col / 128]);
  if (w.format == WeightFormat::fp4) return e8m0_to_float(w.scales[row * (w.cols / 32) + col / 32]);
  return 1;
}

float tree_sum(const float* lanes) {
  float sums[16];
  std::memcpy(sums, lanes, sizeof sums);
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) sums[l] += sums[l + half];
  return sums[0];
}

float canonical_product(const WeightMatrix& w, std::int64_t row, const float* x) {
  const bool scaled = w.format == WeightFormat::fp8 || w.format == WeightFormat::fp4;
  float acc[16] = {};
  for (std::int64_t block = 0; block < (w.cols + 127) / 128; ++block) {
    for (int lane = 0; lane < 16; ++lane) {
      float part = 0;
      float scale = 1;
      for (int step = 0; step < 8; ++step) {
        const int place = w.format == WeightFormat::fp4 ? 8 * lane + step : 16 * step + lane;
        const std::int64_t col = 128 * block + place;
        const float code = col < w.cols ? weight_code(w, row, col) : 0.0f;
        const float value = col < w.cols ? x[col] : 0.0f;
        if (col < w.cols) scale = weight_scale(w, row, col);
        if (!scaled) {
          acc[lane] = std::fma(code, value, acc[lane]);
        } else {
          part = step == 0 ? code * value : std::fma(code, value, part);
        }
      }
      if (scaled) acc[lane] = std::fma(part, scale, acc[lane]);
    }
  }
  return tree_sum(acc);
}

Exact exact_product(const WeightMatrix& w, std::int64_t row, const float* x) {
  Exact exact;
  for (std::int64_t col = 0; col < w.cols; ++col) {
    const double product = double{weight_code(w, row, col)} * weight_scale(w, row, col) * x[col];
    exact.value += product;
    exact.magnitude += std::fabs(product);
  }
  return exact;
}

float canonical_dot(const float* a, const float* b, std::int64_t n) {
  float acc[16] = {};
  for (std::int64_t i = 0; i < (n + 15) / 16 * 16; ++i)
    acc[i % 16] = i < n ? std::fma(a[i], b[i], acc[i % 16]) : std::fma(0.0f, 0.0f, acc[i % 16]);
  return tree_sum(acc);
}

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (const Kernels* kernels = kernels_for(isa)) all.push_back(kernels);
  return all;
}

}  // namespace fathom::test
