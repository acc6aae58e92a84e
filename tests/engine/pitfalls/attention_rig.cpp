#include "tests/engine/pitfalls/attention_rig.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>

namespace fathom::test {

using namespace engine;

namespace {

constexpr float kNeverPooled = -1000;  // exp of it is 0

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// Columns of a compressor: with overlap the half for the next block stands before the own one.
std::int64_t columns(std::int64_t ratio, std::int64_t dim) {
  return ratio == kCsaRatio ? 2 * dim : dim;
}

PlainMatrix compressor_matrix(std::int64_t ratio, std::int64_t dim) {
  return {columns(ratio, dim), kRigDim};
}

std::vector<float> compressor_ape(std::int64_t ratio, std::int64_t dim) {
  std::vector<float> out(at(ratio * columns(ratio, dim)));
  if (ratio == kCsaRatio)
    for (std::int64_t t = 0; t < ratio; ++t)
      std::fill_n(out.begin() + t * 2 * dim, dim, kNeverPooled);
  return out;
}

}  // namespace

AttentionRig::AttentionRig(std::int64_t ratio, std::int64_t heads, std::int64_t index_heads)
    : wq_b(heads * kRigDim, kRigDim),
      main_wkv(compressor_matrix(ratio, kRigDim)),
      main_wgate(compressor_matrix(ratio, kRigDim)),
      index_wq_b(index_heads * kRigIndexDim, kRigDim),
      weights_proj(index_heads, kRigDim),
      index_wkv(compressor_matrix(ratio, kRigIndexDim)),
      index_wgate(compressor_matrix(ratio, kRigIndexDim)),
      q_norm(at(kRigDim), 1.0F),
      sinks(at(heads), -std::numeric_limits<float>::infinity()),
      main_ape(compressor_ape(ratio, kRigDim)),
      index_ape(compressor_ape(ratio, kRigIndexDim)) {
  config.hidden_size = config.head_dim = config.q_lora_rank = kRigDim;
  config.layers = 1;
  config.compress_ratios = {ratio};
  config.heads = heads;
  config.rope_dim = kRigRope;
  config.o_groups = 1;
  config.o_lora_rank = heads * kRigDim;
  config.window = 8;
  config.rope_theta = 10000;
  config.compress_rope_theta = 160000;
  config.rope_factor = 4;
  config.rope_original_context = 64;
  config.context_max = 4096;
  config.index_heads = index_heads;
  config.index_head_dim = kRigIndexDim;
  config.index_topk = 1024;
  config.hc_mult = 1;
  wq_a.set_diagonal(kRigDim);
  wkv.set_diagonal(kRigDim);
  for (std::int64_t h = 0; h < heads; ++h) wq_b.set_diagonal(kRigDim, h * kRigDim);
  for (std::int64_t h = 0; h < index_heads; ++h)
    index_wq_b.set_diagonal(kRigIndexDim, h * kRigIndexDim);
  main_wkv.set_diagonal(kRigDim, main_wkv.rows - kRigDim);
  index_wkv.set_diagonal(kRigIndexDim, index_wkv.rows - kRigIndexDim);
}

Compressor AttentionRig::compressor(std::int64_t dim, const PlainMatrix& keys,
                                    const PlainMatrix& gate, const std::vector<float>& ape) const {
  return {config.ratio(0), dim, ape, keys.view(), gate.view(), std::vector<float>(at(dim), 1.0F)};
}

Layer AttentionRig::layer(const PlainMatrix& wo_a, const PlainMatrix& wo_b) const {
  Layer out;
  out.kind = config.kind(0);
  out.ratio = config.ratio(0);
  AttentionWeights& a = out.attention;
  a.wq_a = wq_a.view();
  a.q_norm = q_norm;
  a.wq_b = wq_b.view();
  a.wkv = wkv.view();
  a.kv_norm.assign(at(kRigDim), 1.0F);
  a.sink = sinks;
  a.wo_a = wo_a.view();
  a.wo_b = wo_b.view();
  if (out.ratio > 0) a.compressor = compressor(kRigDim, main_wkv, main_wgate, main_ape);
  if (out.kind == AttentionKind::csa)
    a.indexer = Indexer{index_wq_b.view(), weights_proj.view(),
                        compressor(kRigIndexDim, index_wkv, index_wgate, index_ape)};
  return out;
}

void AttentionRig::run_chunk(const Layer& layer, LiveKv& kv, std::span<const Values> inputs,
                             std::vector<Values>& outputs) const {
  const auto n = static_cast<std::int64_t>(inputs.size());
  ThreadPool pool(1);
  ProductRunner products(pool);
  AttentionBlock block(config, Numerics::exact, products);
  std::vector<BatchToken> tokens;
  Values in;
  for (std::int64_t t = 0; t < n; ++t) {
    tokens.push_back({&kv, kv.position() + t, 0});
    in.insert(in.end(), inputs[at(t)].begin(), inputs[at(t)].end());
  }
  Values out(in.size());
  block.begin(tokens);
  block.run(layer, 0, tokens, {in.data(), n, kRigDim}, {out.data(), n, kRigDim});
  kv.advance(n);
  for (std::int64_t t = 0; t < n; ++t)
    outputs.emplace_back(out.begin() + t * kRigDim, out.begin() + (t + 1) * kRigDim);
}

std::vector<Values> AttentionRig::run(LiveKv& kv, std::span<const Values> inputs,
                                      std::int64_t chunk) const {
  PlainMatrix wo_a(config.heads * kRigDim, config.heads * kRigDim);
  wo_a.set_diagonal(wo_a.rows);
  PlainMatrix wo_b(kRigDim, wo_a.rows);
  wo_b.set_diagonal(kRigDim, 0, shown_head * kRigDim);
  const Layer of_block = layer(wo_a, wo_b);
  std::vector<Values> outputs;
  const std::size_t step = chunk == 0 ? inputs.size() : at(chunk);
  for (std::size_t begin = 0; begin < inputs.size(); begin += step)
    run_chunk(of_block, kv, inputs.subspan(begin, std::min(step, inputs.size() - begin)), outputs);
  return outputs;
}

std::vector<Values> AttentionRig::run(std::span<const Values> inputs) const {
  LiveKv kv = new_kv();
  return run(kv, inputs);
}

double frequency(const ModelConfig& config, RopeBase base, std::int64_t pair) {
  const auto dims = static_cast<double>(kRigRope);
  const auto k = static_cast<double>(pair);
  if (base == RopeBase::plain) return std::pow(config.rope_theta, -2 * k / dims);
  const double f = std::pow(config.compress_rope_theta, -2 * k / dims);
  const auto turns_at = [&](double beta) {
    return dims *
           std::log(static_cast<double>(config.rope_original_context) /
                    (beta * 2 * std::numbers::pi)) /
           (2 * std::log(config.compress_rope_theta));
  };
  const double low = std::max(std::floor(turns_at(config.rope_beta_fast)), 0.0);
  const double high = std::min(std::ceil(turns_at(config.rope_beta_slow)), dims - 1);
  const double ramp = std::clamp((k - low) / (high - low), 0.0, 1.0);
  return f / config.rope_factor * ramp + f * (1 - ramp);
}

Values normed(std::span<const float> x) {
  double squares = 0;
  for (const float value : x) squares += static_cast<double>(value) * static_cast<double>(value);
  const double factor = 1 / std::sqrt(squares / static_cast<double>(x.size()) + 1e-6);
  Values out;
  for (const float value : x) out.push_back(static_cast<float>(value * factor));
  return out;
}

Values roped(const ModelConfig& config, RopeBase base, Values x, std::int64_t position) {
  float* const pairs = x.data() + x.size() - at(kRigRope);
  for (std::int64_t k = 0; k < kRigRope / 2; ++k) {
    const double angle = static_cast<double>(position) * frequency(config, base, k);
    const double x0 = pairs[2 * k];
    const double x1 = pairs[2 * k + 1];
    pairs[2 * k] = static_cast<float>(x0 * std::cos(angle) - x1 * std::sin(angle));
    pairs[2 * k + 1] = static_cast<float>(x0 * std::sin(angle) + x1 * std::cos(angle));
  }
  return x;
}

Values attended(const ModelConfig& config, RopeBase base, const Visible& query,
                std::span<const Visible> visible, double sink) {
  const Values q = roped(config, base, query.value, query.position);
  std::vector<double> sums(at(kRigDim));
  double total = std::exp(sink);
  for (const Visible& one : visible) {
    const Values kv = roped(config, base, one.value, one.position);
    double score = 0;
    for (std::size_t i = 0; i < kv.size(); ++i)
      score += static_cast<double>(q[i]) * static_cast<double>(kv[i]);
    const double weight = std::exp(score / std::sqrt(static_cast<double>(kRigDim)));
    total += weight;
    for (std::size_t i = 0; i < kv.size(); ++i) sums[i] += weight * static_cast<double>(kv[i]);
  }
  Values out;
  for (const double sum : sums) out.push_back(static_cast<float>(sum / total));
  return roped(config, base, out, -query.position);
}

Values noise(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  Values out(size);
  for (float& value : out) value = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
  return out;
}

float largest_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return std::numeric_limits<float>::infinity();
  float out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float difference = std::abs(a[i] - b[i]);
    out =
        std::isnan(difference) ? std::numeric_limits<float>::infinity() : std::max(out, difference);
  }
  return out;
}

std::span<const float> floats(const PagedRows& rows, std::int64_t index) {
  return {reinterpret_cast<const float*>(rows.row(index)), at(rows.row_bytes()) / sizeof(float)};
}

}  // namespace fathom::test
