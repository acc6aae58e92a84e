// Prepared activations: padding, the order of each format's lanes, fp8's scale.
#include "engine/cpu/kernels.hpp"
#include "engine/cpu/prepared_layout.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

// fp4's lane l of step t is element 8 l + t of a block.
void turn_block(const float* x, float* out) {
  for (std::int64_t step = 0; step < 8; ++step)
    for (std::int64_t lane = 0; lane < 16; ++lane) out[16 * step + lane] = x[8 * lane + step];
}

// The kernels decode fp8 as 2^-8 times its value (weight_decode.hpp); both products are exact.
float scale_for(WeightFormat format) { return format == WeightFormat::fp8 ? 256.0f : 1.0f; }

// Elements [block, block + 128) of x as [step][lane], zeros behind its end.
void order_block(WeightFormat format, const float* x, std::int64_t left, float* out) {
  float tail[kBlock];
  if (left < kBlock) {
    std::fill(std::copy(x, x + left, tail), tail + kBlock, 0.0f);
    x = tail;
  }
  if (format == WeightFormat::fp4) {
    turn_block(x, out);
  } else {
    const float scale = scale_for(format);
    for (std::int64_t i = 0; i < kBlock; ++i) out[i] = x[i] * scale;
  }
}

// The vectors of one tile, whose lanes are `lane_stride` apart.
void pack_tile(WeightFormat format, const Activations& x, float* out, std::int64_t lane_stride) {
  for (std::int64_t col = 0; col < x.cols; col += kBlock) {
    float blocks[kTileTokens][kBlock];
    for (std::int64_t t = 0; t < x.n; ++t)
      order_block(format, x.data + t * x.stride + col, x.cols - col, blocks[t]);
    for (std::int64_t i = 0; i < 16; ++i) {
      float* to = out + i * lane_stride + col / 16 * x.n;
      const std::int64_t lane = lane_in_tree_order(i);
      for (std::int64_t step = 0; step < 8; ++step)
        for (std::int64_t t = 0; t < x.n; ++t) *to++ = blocks[t][16 * step + lane];
    }
  }
}

void pack_group(WeightFormat format, const Activations& x, float* out) {
  const std::int64_t steps = prepared_floats(1, x.cols) / 16;
  for (std::int64_t t = 0; t < x.n; t += kTileTokens) {
    const std::int64_t n = std::min(kTileTokens, x.n - t);
    pack_tile(format, {x.data + t * x.stride, n, x.cols, x.stride}, out + t * steps, x.n * steps);
  }
}

}  // namespace

PreparedActivations prepare_activations(WeightFormat format, const Activations& x, float* buffer) {
  prepare_vectors(format, x, {0, x.n}, buffer);
  return {buffer, x.n, prepared_floats(1, x.cols)};
}

void prepare_vectors(WeightFormat format, const Activations& x, RowRange vectors, float* buffer) {
  static_assert(kPrepareGrain % kGroupTokens == 0, "a share is made of whole tiles");
  ENSURE(x.cols <= kColsMax, "no matrix of a model has longer rows");
  const std::int64_t stride = prepared_floats(1, x.cols);
  if (x.n > kDirectVectors) {
    for (std::int64_t t = vectors.begin; t < vectors.end; t += kGroupTokens)
      pack_group(format,
                 {x.data + t * x.stride, std::min(kGroupTokens, vectors.end - t), x.cols, x.stride},
                 buffer + t * stride);
    return;
  }
  for (std::int64_t t = vectors.begin; t < vectors.end; ++t)
    for (std::int64_t col = 0; col < x.cols; col += kBlock)
      order_block(format, x.data + t * x.stride + col, x.cols - col, buffer + t * stride + col);
}

}  // namespace fathom::engine
