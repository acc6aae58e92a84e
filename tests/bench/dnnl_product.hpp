// The peer of our products of many vectors: oneDNN's matmul. Where its development package was
// missing at build time dnnl_absent.cpp stands in, and says so.
//
// oneDNN 2.6 has f32 and bf16, and no FP8 or FP4: those products of ours have no peer here.
#pragma once

#include "engine/model/weight_matrix.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace fathom::bench {

/// How the weights lie: as a checkpoint has them, which is how ours read them, or packed
/// beforehand as oneDNN likes them best.
enum class DnnlWeights : std::uint8_t { as_stored, packed };

struct DnnlShape {
  engine::WeightFormat format =
      engine::WeightFormat::f32;  ///< f32 or bf16; the vectors have it too
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t n = 0;
  std::int64_t stride = 0;  ///< of the output, as MatrixOutput's
  int threads = 1;
  DnnlWeights weights = DnnlWeights::as_stored;
};

/// The instruction set that oneDNN chose for this processor; empty where there is no oneDNN.
std::string dnnl_instruction_set();

/// y = W x for matrix `i` of `matrices`, [rows][cols] each, and vectors x [n][cols], which are
/// converted here: what is returned only multiplies. Empty when oneDNN cannot do it. `matrices` and
/// y must outlive the result.
std::function<void(int i)> dnnl_product(const DnnlShape& shape,
                                        std::span<const std::byte* const> matrices,
                                        std::span<const float> x, float* y);

}  // namespace fathom::bench
