// Prepared activations: padding, fp4's order, fp8's scale.
#include "engine/cpu/kernels.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

// fp4's lane l of step t is element 8 l + t of a block.
void turn_block(const float* x, float* out) {
  for (std::int64_t step = 0; step < 8; ++step)
    for (std::int64_t lane = 0; lane < 16; ++lane) out[16 * step + lane] = x[8 * lane + step];
}

void prepare_row(WeightFormat format, const float* x, std::int64_t cols, float* out) {
  const std::int64_t whole = cols / kBlock * kBlock;
  const std::int64_t padded = prepared_size(cols);
  if (format == WeightFormat::fp4) {
    for (std::int64_t i = 0; i < whole; i += kBlock) turn_block(x + i, out + i);
    if (whole == cols) return;
    float tail[kBlock] = {};
    std::copy(x + whole, x + cols, tail);
    turn_block(tail, out + whole);
    return;
  }
  // The kernels decode fp8 as 2^-8 times its value (weight_decode.hpp); both products are exact.
  const float scale = format == WeightFormat::fp8 ? 256.0f : 1.0f;
  for (std::int64_t i = 0; i < cols; ++i) out[i] = x[i] * scale;
  std::fill(out + cols, out + padded, 0.0f);
}

}  // namespace

PreparedActivations prepare_activations(WeightFormat format, const Activations& x, float* buffer) {
  const std::int64_t stride = prepared_size(x.cols);
  for (std::int64_t t = 0; t < x.n; ++t)
    prepare_row(format, x.data + t * x.stride, x.cols, buffer + t * stride);
  return {buffer, x.n, stride};
}

}  // namespace fathom::engine
