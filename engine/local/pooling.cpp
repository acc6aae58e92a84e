#include "engine/local/pooling.hpp"

#include "engine/cpu/kernels.hpp"

#include <algorithm>
#include <vector>

namespace fathom::engine {
namespace {

/// The channels that one token contributes: of the previous block the first half, of its own the
/// second.
struct Candidate {
  const float* keys;
  const float* scores;
};

const float* floats(const PagedRows& rows, std::int64_t index) {
  return reinterpret_cast<const float*>(rows.row(index));
}

}  // namespace

void pool_block(const Compressor& compressor, const CompressorRows& rows, std::int64_t block,
                std::span<float> out) {
  static thread_local std::vector<Candidate> candidates;
  static thread_local std::vector<float> highest;
  static thread_local std::vector<float> sums;
  static thread_local std::vector<float> weights;
  const std::size_t dim = out.size();
  candidates.clear();
  const auto take = [&](std::int64_t first, std::size_t offset) {
    for (std::int64_t token = first; token < first + compressor.ratio; ++token)
      candidates.push_back(
          {floats(rows.keys, token) + offset, floats(rows.scores, token) + offset});
  };
  if (compressor.overlaps() && block > 0) take((block - 1) * compressor.ratio, 0);
  take(block * compressor.ratio, compressor.overlaps() ? dim : 0);

  highest.assign(candidates.front().scores, candidates.front().scores + dim);
  for (const Candidate& candidate : candidates)
    for (std::size_t i = 0; i < dim; ++i) highest[i] = std::max(highest[i], candidate.scores[i]);
  sums.assign(dim, 0);
  weights.resize(dim);
  std::ranges::fill(out, 0.0F);
  for (const Candidate& candidate : candidates) {
    for (std::size_t i = 0; i < dim; ++i) weights[i] = candidate.scores[i] - highest[i];
    kernels().exp(weights.data(), static_cast<std::int64_t>(dim));
    for (std::size_t i = 0; i < dim; ++i) {
      sums[i] += weights[i];
      out[i] += weights[i] * candidate.keys[i];
    }
  }
  for (std::size_t i = 0; i < dim; ++i) out[i] /= sums[i];
}

}  // namespace fathom::engine
