// The canonical arithmetic of engine/cpu/kernels.hpp, written a second time as plainly as it can
// be: what every instruction set has to equal bit for bit.
#pragma once

#include "engine/cpu/kernels.hpp"

#include <cstring>
#include <random>
#include <span>
#include <vector>

namespace fathom::test {

/// A matrix that owns its bytes.
struct OwnedMatrix {
  engine::WeightMatrix view;
  std::vector<std::byte> data;
  std::vector<std::uint8_t> scales;
};

/// Random bytes are random weights: every code of fp8 (but NaN) and fp4 occurs; f32 and bf16 are
/// normal values and some subnormals. The buffers end with the matrix, so that a sanitizer sees any
/// byte read behind it.
OwnedMatrix random_matrix(engine::WeightFormat format, std::int64_t rows, std::int64_t cols,
                          std::uint64_t seed);

/// n vectors of `cols`, mostly of size 1, with zeros, subnormals and large values among them.
std::vector<float> random_vectors(std::int64_t n, std::int64_t cols, std::uint64_t seed);

/// Element (row, col) times 2^8 for fp8 as the kernels see it: the decoded code, without scale.
float weight_code(const engine::WeightMatrix& w, std::int64_t row, std::int64_t col);
/// Its scale, 1 where the format has none.
float weight_scale(const engine::WeightMatrix& w, std::int64_t row, std::int64_t col);

/// Row `row` of w times x in the canonical order, on plain floats.
float canonical_product(const engine::WeightMatrix& w, std::int64_t row, const float* x);
/// The same in double, and the sum of magnitudes that bounds the error of any order.
struct Exact {
  double value = 0;
  double magnitude = 0;
};
Exact exact_product(const engine::WeightMatrix& w, std::int64_t row, const float* x);

/// The fixed tree over 16 lanes.
float tree_sum(const float* lanes);
/// dot in the canonical order.
float canonical_dot(const float* a, const float* b, std::int64_t n);

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// All instruction sets of this machine, scalar first.
std::vector<const engine::Kernels*> all_kernels();

}  // namespace fathom::test
