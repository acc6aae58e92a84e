#include "engine/cpu/reference.hpp"

#include "engine/cpu/reference_math.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <cmath>

namespace fathom::engine {
namespace {

using namespace reference;

constexpr std::size_t kActivationBlock = 128;  // FP8 groups of a linear's input
constexpr std::size_t kKvBlock = 64;           // FP8 groups of a latent's part without rope

std::size_t index_of(std::int64_t value) { return static_cast<std::size_t>(value); }

// §2.6 step 5: softmax over what is visible and the sink, whose value is nothing.
void attend(std::span<const float> query, std::span<const Values* const> visible, float sink,
            std::span<float> out) {
  const double scale = 1 / std::sqrt(static_cast<double>(query.size()));
  std::vector<double> weights;
  double highest = static_cast<double>(sink);
  for (const Values* entry : visible) {
    weights.push_back(dot(query, *entry) * scale);
    highest = std::max(highest, weights.back());
  }
  double sum = std::exp(static_cast<double>(sink) - highest);
  for (double& weight : weights) sum += weight = std::exp(weight - highest);
  for (std::size_t k = 0; k < out.size(); ++k) {
    double value = 0;
    for (std::size_t j = 0; j < visible.size(); ++j)
      value += weights[j] * static_cast<double>((*visible[j])[k]);
    out[k] = static_cast<float>(value / sum);
  }
}

}  // namespace

Reference::Reference(const Weights& weights, Numerics numerics, Observer observer)
    : weights_(weights),
      c_(weights.config),
      numerics_(numerics),
      observer_(std::move(observer)),
      layers_(weights.layers.size()) {}

void Reference::see(std::string_view name, std::int64_t layer, std::int64_t position,
                    std::span<const float> values) const {
  if (observer_) observer_(name, layer, position, values);
}

/// An FP8 or FP4 linear of the release: its input is rounded in official numerics (§4.1).
Values Reference::linear(const WeightMatrix& matrix, Values input) const {
  if (numerics_ == Numerics::official) round_to_fp8(input, kActivationBlock);
  return product(matrix, input);
}

Values Reference::embedding(std::int64_t token) const {
  Values out(index_of(c_.hidden_size));
  dequantize_row(weights_.embed, token, out);
  return out;
}

// §2.2
Reference::Mix Reference::mix(const HyperConnection& hc, const Values& streams) const {
  const auto n = index_of(c_.hc_mult);
  Values mixes = product(hc.fn, streams);
  const double r = inverse_rms(streams, c_.norm_eps);
  for (float& value : mixes) value = static_cast<float>(static_cast<double>(value) * r);
  const auto scaled = [&](std::size_t i, std::size_t part) {
    return static_cast<double>(mixes[i]) * static_cast<double>(hc.scale[part]) +
           static_cast<double>(hc.base[i]);
  };
  Mix out{Values(n), Values(n), Values(n * n)};
  for (std::size_t i = 0; i < n; ++i) {
    out.pre[i] = static_cast<float>(sigmoid(scaled(i, 0)) + c_.hc_eps);
    out.post[i] = static_cast<float>(2 * sigmoid(scaled(n + i, 1)));
  }
  for (std::size_t i = 0; i < n * n; ++i) out.comb[i] = static_cast<float>(scaled(2 * n + i, 2));
  sinkhorn(out.comb, c_.sinkhorn_iters, c_.hc_eps);
  return out;
}

Values Reference::read_streams(const Values& pre, const Values& streams) const {
  const auto d = index_of(c_.hidden_size);
  Values out(d);
  for (std::size_t k = 0; k < d; ++k) {
    double sum = 0;
    for (std::size_t i = 0; i < pre.size(); ++i)
      sum += static_cast<double>(pre[i]) * static_cast<double>(streams[i * d + k]);
    out[k] = static_cast<float>(sum);
  }
  return out;
}

// §2.3: comb[source][destination]
Values Reference::write_streams(const Mix& mix, const Values& output, const Values& streams) const {
  const auto d = index_of(c_.hidden_size);
  const std::size_t n = mix.post.size();
  Values out(streams.size());
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < d; ++k) {
      double sum = static_cast<double>(mix.post[j]) * static_cast<double>(output[k]);
      for (std::size_t i = 0; i < n; ++i)
        sum += static_cast<double>(mix.comb[i * n + j]) * static_cast<double>(streams[i * d + k]);
      out[j * d + k] = static_cast<float>(sum);
    }
  return out;
}

// §2.6.1
Values Reference::close_block(const Compressor& compressor, const ReferenceCompression& state,
                              std::size_t block) const {
  const auto dim = index_of(compressor.dim);
  const auto ratio = index_of(compressor.ratio);
  struct Candidate {
    std::size_t token;
    std::size_t offset;  ///< of the channel half it contributes
  };
  std::vector<Candidate> candidates;
  if (compressor.overlaps() && block > 0)
    for (std::size_t t = 0; t < ratio; ++t) candidates.push_back({(block - 1) * ratio + t, 0});
  const std::size_t own = compressor.overlaps() ? dim : 0;
  for (std::size_t t = 0; t < ratio; ++t) candidates.push_back({block * ratio + t, own});

  Values out(dim);
  for (std::size_t channel = 0; channel < dim; ++channel) {
    double highest = -INFINITY;
    for (const auto& [token, offset] : candidates)
      highest = std::max(highest, static_cast<double>(state.scores[token][offset + channel]));
    double sum = 0;
    double weight_sum = 0;
    for (const auto& [token, offset] : candidates) {
      const double weight =
          std::exp(static_cast<double>(state.scores[token][offset + channel]) - highest);
      weight_sum += weight;
      sum += weight * static_cast<double>(state.keys[token][offset + channel]);
    }
    out[channel] = static_cast<float>(sum / weight_sum);
  }
  return out;
}

void Reference::compress(const Compressor& compressor, EntryUse use, ReferenceCompression& state,
                         const Values& input, const RopeFrequencies& frequencies) const {
  const std::size_t position = state.keys.size();
  const auto ratio = index_of(compressor.ratio);
  const auto columns = index_of(compressor.columns());
  state.keys.push_back(product(compressor.wkv, input));
  Values scores = product(compressor.wgate, input);
  for (std::size_t i = 0; i < columns; ++i)
    scores[i] += compressor.ape[position % ratio * columns + i];
  state.scores.push_back(std::move(scores));
  if ((position + 1) % ratio != 0) return;

  const std::size_t block = position / ratio;
  Values entry = rms(close_block(compressor, state, block), compressor.norm, c_.norm_eps);
  rope(entry, frequencies, static_cast<std::int64_t>(block * ratio), Turn::forward);
  if (use == EntryUse::index) {
    hadamard(entry);
    if (numerics_ == Numerics::official) round_to_fp4(entry);
  } else if (numerics_ == Numerics::official) {
    round_to_fp8(std::span(entry).first(index_of(c_.nope_dim())), kKvBlock);
  }
  state.entries.push_back(std::move(entry));
}

// §2.6.2: the compressed entries that the query at this position sees, by the indexer's scores.
std::vector<std::size_t> Reference::choose_entries(const Layer& layer, std::int64_t index,
                                                   const ReferenceLayerState& state,
                                                   const Values& latent,
                                                   const Values& input) const {
  const Indexer& indexer = *layer.attention.indexer;
  const auto position = static_cast<std::int64_t>(state.kv.size()) - 1;
  const auto dim = index_of(c_.index_head_dim);
  const auto heads = index_of(c_.index_heads);
  const RopeFrequencies frequencies = RopeFrequencies::compressed(c_);
  Values queries = linear(indexer.wq_b, latent);
  for (std::size_t h = 0; h < heads; ++h) {
    const auto query = std::span(queries).subspan(h * dim, dim);
    rope(query, frequencies, position, Turn::forward);
    hadamard(query);
  }
  if (numerics_ == Numerics::official) round_to_fp4(queries);
  see("idx_q", index, position, queries);

  Values weights = product(indexer.weights_proj, input);
  const double scale = 1 / std::sqrt(static_cast<double>(dim) * static_cast<double>(heads));
  for (float& weight : weights) weight = static_cast<float>(static_cast<double>(weight) * scale);
  see("idx_w", index, position, weights);

  Values scores;
  for (const Values& key : state.index.entries) {
    double sum = 0;
    for (std::size_t h = 0; h < heads; ++h)
      sum += static_cast<double>(weights[h]) *
             std::max(0.0, dot(std::span(queries).subspan(h * dim, dim), key));
    scores.push_back(static_cast<float>(sum));
  }
  see("idx_score", index, position, scores);
  return top_k(scores, index_of(c_.index_topk));
}

// §2.6
Values Reference::attention(const Layer& layer, std::int64_t index, ReferenceLayerState& state,
                            const Values& input) const {
  const AttentionWeights& a = layer.attention;
  const auto position = static_cast<std::int64_t>(state.kv.size());
  const RopeFrequencies frequencies = RopeFrequencies::of_layer(c_, index);
  const auto dim = index_of(c_.head_dim);
  const auto heads = index_of(c_.heads);

  const Values latent = rms(linear(a.wq_a, input), a.q_norm, c_.norm_eps);
  see("qr", index, position, latent);
  Values queries = linear(a.wq_b, latent);
  for (std::size_t h = 0; h < heads; ++h) {
    const auto query = std::span(queries).subspan(h * dim, dim);
    std::ranges::copy(rms(query, {}, c_.norm_eps), query.begin());
    rope(query, frequencies, position, Turn::forward);
  }
  see("q", index, position, queries);

  Values kv = rms(linear(a.wkv, input), a.kv_norm, c_.norm_eps);
  rope(kv, frequencies, position, Turn::forward);
  if (numerics_ == Numerics::official)
    round_to_fp8(std::span(kv).first(index_of(c_.nope_dim())), kKvBlock);
  see("kv", index, position, kv);
  state.kv.push_back(std::move(kv));

  // Step 4: what the query sees.
  std::vector<const Values*> visible;
  for (std::int64_t p = std::max<std::int64_t>(0, position - c_.window + 1); p <= position; ++p)
    visible.push_back(&state.kv[index_of(p)]);
  if (a.compressor) {
    compress(*a.compressor, EntryUse::kv, state.main, input, frequencies);
    const bool closed = (position + 1) % layer.ratio == 0;
    if (closed) see("comp", index, position / layer.ratio, state.main.entries.back());
    if (a.indexer) {
      compress(a.indexer->compressor, EntryUse::index, state.index, input, frequencies);
      if (closed) see("idx_k", index, position / layer.ratio, state.index.entries.back());
      const auto chosen = choose_entries(layer, index, state, latent, input);
      see("idx_topk", index, position, Values(chosen.begin(), chosen.end()));
      for (std::size_t entry : chosen) visible.push_back(&state.main.entries[entry]);
    } else {
      for (const Values& entry : state.main.entries) visible.push_back(&entry);
    }
  }

  Values mixed(heads * dim);
  for (std::size_t h = 0; h < heads; ++h)
    attend(std::span(queries).subspan(h * dim, dim), visible, a.sink[h],
           std::span(mixed).subspan(h * dim, dim));
  see("o_pre", index, position, mixed);
  for (std::size_t h = 0; h < heads; ++h)
    rope(std::span(mixed).subspan(h * dim, dim), frequencies, position, Turn::inverse);
  see("o", index, position, mixed);
  return project_out(a, index, position, mixed);
}

// Step 7: every group of heads has its own rows of wo_a, whose input is not rounded.
Values Reference::project_out(const AttentionWeights& attention, std::int64_t index,
                              std::int64_t position, const Values& mixed) const {
  const auto groups = index_of(c_.o_groups);
  const auto rank = index_of(c_.o_lora_rank);
  const std::size_t width = mixed.size() / groups;
  Values latent(groups * rank);
  Values row(width);
  for (std::size_t r = 0; r < latent.size(); ++r) {
    dequantize_row(attention.wo_a, static_cast<std::int64_t>(r), row);
    latent[r] = static_cast<float>(dot(row, std::span(mixed).subspan(r / rank * width, width)));
  }
  see("wo_a", index, position, latent);
  return linear(attention.wo_b, latent);
}

// §2.7
Reference::Gate Reference::route(const Moe& moe, std::int64_t token, const Values& scores) const {
  Gate out;
  if (moe.table) {
    for (std::int64_t k = 0; k < c_.experts_per_token; ++k)
      out.experts.push_back(index_of(moe.table->at(token, k)));
  } else {
    Values biased = scores;
    for (std::size_t e = 0; e < biased.size(); ++e) biased[e] += moe.bias[e];
    out.experts = top_k(biased, index_of(c_.experts_per_token));
  }
  double sum = 0;
  for (std::size_t e : out.experts) sum += static_cast<double>(scores[e]);
  for (std::size_t e : out.experts)
    out.weights.push_back(
        static_cast<float>(static_cast<double>(scores[e]) / sum * c_.routed_scaling));
  return out;
}

Values Reference::expert(const Expert& expert, const Values& input, float weight) const {
  const Values gate = linear(expert.w1, input);
  const Values up = linear(expert.w3, input);
  const double limit = c_.swiglu_limit > 0 ? c_.swiglu_limit : INFINITY;
  Values hidden(gate.size());
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    const double a = std::min(static_cast<double>(gate[i]), limit);
    const double b = std::clamp(static_cast<double>(up[i]), -limit, limit);
    hidden[i] = static_cast<float>(silu(a) * b * static_cast<double>(weight));
  }
  return linear(expert.w2, std::move(hidden));
}

Values Reference::moe(const Moe& moe, std::int64_t index, std::int64_t position, std::int64_t token,
                      const Values& input) const {
  Values scores = product(moe.gate, input);
  for (float& score : scores)
    score = static_cast<float>(std::sqrt(softplus(static_cast<double>(score))));
  see("gate_s", index, position, scores);
  const Gate gate = route(moe, token, scores);
  see("gate_ids", index, position, Values(gate.experts.begin(), gate.experts.end()));
  see("gate_w", index, position, gate.weights);
  Values out = expert(moe.shared, input, 1);
  for (std::size_t k = 0; k < gate.experts.size(); ++k) {
    const Values part = expert(moe.experts[gate.experts[k]], input, gate.weights[k]);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += part[i];
  }
  return out;
}

// §2.4
void Reference::run_layer(const Layer& layer, std::int64_t index, ReferenceLayerState& state,
                          std::int64_t token, Values& streams) const {
  const auto position = static_cast<std::int64_t>(state.kv.size());
  const auto read = [&](const char* kind, const Mix& mix, const Values& norm) {
    const std::string name = kind;
    const Values u = read_streams(mix.pre, streams);
    see("hc_" + name + "_u", index, position, u);
    see("hc_" + name + "_post", index, position, mix.post);
    see("hc_" + name + "_comb", index, position, mix.comb);
    Values input = rms(u, norm, c_.norm_eps);
    see(name + "_in", index, position, input);
    return input;
  };
  const Mix attention_mix = mix(layer.hc_attn, streams);
  Values output = attention(layer, index, state, read("attn", attention_mix, layer.attn_norm));
  see("attn_out", index, position, output);
  streams = write_streams(attention_mix, output, streams);
  see("X_mid", index, position, streams);

  const Mix ffn_mix = mix(layer.hc_ffn, streams);
  output = moe(layer.moe, index, position, token, read("ffn", ffn_mix, layer.ffn_norm));
  see("ffn_out", index, position, output);
  streams = write_streams(ffn_mix, output, streams);
  see("X", index, position, streams);
}

// §2.8
Values Reference::logits(const OutputHead& output, std::int64_t layer, std::int64_t position,
                         const Values& streams) const {
  Values pre = product(output.hc_fn, streams);
  const double r = inverse_rms(streams, c_.norm_eps);
  for (std::size_t i = 0; i < pre.size(); ++i)
    pre[i] = static_cast<float>(
        sigmoid(static_cast<double>(pre[i]) * r * static_cast<double>(output.hc_scale) +
                static_cast<double>(output.hc_base[i])) +
        c_.hc_eps);
  const Values u = read_streams(pre, streams);
  see("head_u", layer, position, u);
  return product(weights_.head, rms(u, output.norm, c_.norm_eps));
}

Values Reference::step(std::int64_t token) {
  const Values embedded = embedding(token);
  Values streams;
  for (std::int64_t i = 0; i < c_.hc_mult; ++i)
    streams.insert(streams.end(), embedded.begin(), embedded.end());
  for (std::size_t l = 0; l < layers_.size(); ++l)
    run_layer(weights_.layers[l], static_cast<std::int64_t>(l), layers_[l], token, streams);
  Values out = logits(weights_.output, kMainHead, position_, streams);
  streams_.push_back(std::move(streams));
  ++position_;
  return out;
}

// §2.9
Values Reference::mtp_step(std::int64_t next_token) {
  ENSURE(weights_.mtp.has_value(), "only a model with an MTP block is asked for drafts");
  const auto position = mtp_.kv.size();
  ENSURE(position < streams_.size(), "MTP follows the main model");
  const MtpBlock& mtp = *weights_.mtp;
  const auto d = index_of(c_.hidden_size);
  const Values e = linear(mtp.e_proj, rms(embedding(next_token), mtp.enorm, c_.norm_eps));
  Values streams;
  for (std::size_t i = 0; i < index_of(c_.hc_mult); ++i) {
    const auto stream = std::span(streams_[position]).subspan(i * d, d);
    const Values h = linear(mtp.h_proj, rms(stream, mtp.hnorm, c_.norm_eps));
    for (std::size_t k = 0; k < d; ++k) streams.push_back(e[k] + h[k]);
  }
  run_layer(mtp.layer, c_.layers, mtp_, next_token, streams);
  return logits(mtp.output, c_.layers, static_cast<std::int64_t>(position), streams);
}

void Reference::rollback(std::int64_t tokens) {
  ENSURE(tokens >= 0 && tokens <= position_, "only what was fed can be taken back");
  position_ -= tokens;
  const auto kept = index_of(position_);
  const auto cut = [&](ReferenceLayerState& state, std::int64_t ratio) {
    if (state.kv.size() > kept) state.kv.resize(kept);
    for (ReferenceCompression* part : {&state.main, &state.index}) {
      if (part->keys.size() <= kept) continue;
      part->keys.resize(kept);
      part->scores.resize(kept);
      part->entries.resize(kept / index_of(ratio));
    }
  };
  for (std::size_t l = 0; l < layers_.size(); ++l) cut(layers_[l], weights_.layers[l].ratio);
  cut(mtp_, 0);
  streams_.resize(kept);
}

}  // namespace fathom::engine
