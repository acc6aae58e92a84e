#include "engine/local/attention_block.hpp"

#include "engine/cpu/top_k.hpp"
#include "engine/local/pooling.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace fathom::engine {
namespace {

constexpr std::int64_t kHeadsPerTask = 8;  // heads that share the reading of one token's entries
/// With fewer tokens than this the scoring of one token's keys is divided among threads.
constexpr std::int64_t kTokensToScoreApart = 4;

Rows rows_in(FloatBuffer& buffer, std::int64_t n, std::int64_t width) {
  return {buffer.get(n * width), n, width};
}

}  // namespace

AttentionBlock::AttentionBlock(const ModelConfig& config, Numerics numerics,
                               ProductRunner& products)
    : c_(config),
      numerics_(numerics),
      products_(products),
      shape_(kv_shape(config)),
      window_angles_{RopeFrequencies::window(config), {}, {}},
      compressed_angles_{RopeFrequencies::compressed(config), {}, {}},
      group_inputs_(static_cast<std::size_t>(config.o_groups)) {}

void AttentionBlock::begin(std::span<const BatchToken> tokens) {
  for (Angles* angles : both_angles_) {
    const std::size_t pairs = angles->frequencies.pairs();
    angles->cos.resize(tokens.size() * pairs);
    angles->sin.resize(tokens.size() * pairs);
    for (std::size_t t = 0; t < tokens.size(); ++t)
      angles->frequencies.angles(tokens[t].position,
                                 std::span(angles->cos).subspan(t * pairs, pairs),
                                 std::span(angles->sin).subspan(t * pairs, pairs));
  }
}

const AttentionBlock::Angles& AttentionBlock::angles_of(const Layer& layer) const {
  return layer.kind == AttentionKind::window ? window_angles_ : compressed_angles_;
}

void AttentionBlock::run(const Layer& layer, std::int64_t index, std::span<const BatchToken> tokens,
                         const Rows& input, const Rows& output) {
  project(layer, input);
  append_latents(layer, index, tokens);
  rotate_queries(layer, input.n);
  const AttentionWeights& a = layer.attention;
  if (a.compressor) {
    append_compressor_rows(*a.compressor, &LayerKv::main, index, tokens);
    if (a.indexer) append_compressor_rows(a.indexer->compressor, &LayerKv::index, index, tokens);
    close_blocks(layer, index, tokens);
    if (a.indexer) choose_entries(index, tokens);
  }
  attend(layer, index, tokens);
  project_out(layer, output);
}

/// Everything that needs only the input, and what follows from the query latent.
void AttentionBlock::project(const Layer& layer, const Rows& input) {
  const AttentionWeights& a = layer.attention;
  const std::int64_t n = input.n;
  plain_input_.reset(input.activations());
  const Rows rounded = rows_in(rounded_buffer_, n, input.width);
  std::memcpy(rounded.data, input.data, static_cast<std::size_t>(n * input.width) * sizeof(float));
  round_activations(numerics_, rounded.data, n * rounded.width);
  rounded_input_.reset(rounded.activations());

  latent_ = rows_in(latent_buffer_, n, c_.q_lora_rank);
  kv_ = rows_in(kv_buffer_, n, c_.head_dim);
  products_.add(a.wq_a, rounded_input_, latent_);
  products_.add(a.wkv, rounded_input_, kv_);
  if (a.compressor) {
    keys_ = rows_in(keys_buffer_, n, a.compressor->columns());
    scores_ = rows_in(scores_buffer_, n, a.compressor->columns());
    products_.add(a.compressor->wkv, plain_input_, keys_);
    products_.add(a.compressor->wgate, plain_input_, scores_);
  }
  if (a.indexer) {
    index_keys_ = rows_in(index_keys_buffer_, n, a.indexer->compressor.columns());
    index_scores_ = rows_in(index_scores_buffer_, n, a.indexer->compressor.columns());
    head_weights_ = rows_in(head_weight_buffer_, n, c_.index_heads);
    products_.add(a.indexer->compressor.wkv, plain_input_, index_keys_);
    products_.add(a.indexer->compressor.wgate, plain_input_, index_scores_);
    products_.add(a.indexer->weights_proj, plain_input_, head_weights_);
  }
  products_.run();

  for (std::int64_t t = 0; t < n; ++t)
    kernels().rms_norm(latent_.row(t), a.q_norm.data(), static_cast<float>(c_.norm_eps),
                       latent_.width, latent_.row(t));
  round_activations(numerics_, latent_.data, n * latent_.width);
  rounded_latent_.reset(latent_.activations());
  queries_ = rows_in(query_buffer_, n, c_.heads * c_.head_dim);
  products_.add(a.wq_b, rounded_latent_, queries_);
  if (a.indexer) {
    index_queries_ = rows_in(index_query_buffer_, n, c_.index_heads * c_.index_head_dim);
    products_.add(a.indexer->wq_b, rounded_latent_, index_queries_);
  }
  products_.run();
}

void AttentionBlock::append_latents(const Layer& layer, std::int64_t index,
                                    std::span<const BatchToken> tokens) {
  const Angles& angles = angles_of(layer);
  const auto pairs = static_cast<std::int64_t>(angles.frequencies.pairs());
  for (std::int64_t t = 0; t < kv_.n; ++t) {
    float* latent = kv_.row(t);
    kernels().rms_norm(latent, layer.attention.kv_norm.data(), static_cast<float>(c_.norm_eps),
                       c_.head_dim, latent);
    kernels().rope(latent + c_.nope_dim(), &angles.cos[static_cast<std::size_t>(t * pairs)],
                   &angles.sin[static_cast<std::size_t>(t * pairs)], pairs, RopeDirection::forward);
    if (numerics_ == Numerics::official)
      kernels().fp8_quantize(latent, c_.nope_dim(), kKvScaleBlock);
    LiveKv& kv = *tokens[static_cast<std::size_t>(t)].kv;
    std::byte* row = kv.layer(index).window.append();
    if (kv.format() == KvFormat::f32)
      std::memcpy(row, latent, static_cast<std::size_t>(c_.head_dim) * sizeof(float));
    else
      kernels().encode_kv(latent, shape_, row);
  }
}

void AttentionBlock::append_compressor_rows(const Compressor& compressor,
                                            CompressorRows LayerKv::* rows, std::int64_t index,
                                            std::span<const BatchToken> tokens) {
  const bool main = rows == &LayerKv::main;
  const Rows& keys = main ? keys_ : index_keys_;
  const Rows& scores = main ? scores_ : index_scores_;
  const std::int64_t columns = compressor.columns();
  for (std::int64_t t = 0; t < keys.n; ++t) {
    const BatchToken& token = tokens[static_cast<std::size_t>(t)];
    CompressorRows& kept = token.kv->layer(index).*rows;
    std::memcpy(kept.keys.append(), keys.row(t), static_cast<std::size_t>(columns) * sizeof(float));
    auto* score = reinterpret_cast<float*>(kept.scores.append());
    const float* ape =
        &compressor.ape[static_cast<std::size_t>(token.position % compressor.ratio * columns)];
    for (std::int64_t i = 0; i < columns; ++i) score[i] = scores.row(t)[i] + ape[i];
  }
}

/// Every block that ends in this batch gets its entry; blocks are independent of each other.
void AttentionBlock::close_blocks(const Layer& layer, std::int64_t index,
                                  std::span<const BatchToken> tokens) {
  closing_.clear();
  for (const BatchToken& token : tokens) {
    if ((token.position + 1) % layer.ratio != 0) continue;
    LayerKv& kv = token.kv->layer(index);
    closing_.push_back({&kv, token.position / layer.ratio, kv.entries.append(),
                        layer.attention.indexer ? kv.index_keys.append() : nullptr});
  }
  products_.pool().parallel_for(static_cast<std::int64_t>(closing_.size()), 1,
                                [&](std::int64_t begin, std::int64_t end) {
                                  for (std::int64_t i = begin; i < end; ++i)
                                    make_entry(layer, closing_[static_cast<std::size_t>(i)]);
                                });
}

void AttentionBlock::make_entry(const Layer& layer, const Closing& closing) const {
  static thread_local std::vector<float> entry;
  static thread_local std::vector<float> cos;
  static thread_local std::vector<float> sin;
  const auto& frequencies = compressed_angles_.frequencies;
  const auto pairs = static_cast<std::int64_t>(frequencies.pairs());
  cos.resize(frequencies.pairs());
  sin.resize(frequencies.pairs());
  frequencies.angles(closing.block * layer.ratio, cos, sin);

  const auto finish = [&](const Compressor& compressor, const CompressorRows& rows) {
    entry.resize(static_cast<std::size_t>(compressor.dim));
    pool_block(compressor, rows, closing.block, entry);
    kernels().rms_norm(entry.data(), compressor.norm.data(), static_cast<float>(c_.norm_eps),
                       compressor.dim, entry.data());
    kernels().rope(entry.data() + compressor.dim - c_.rope_dim, cos.data(), sin.data(), pairs,
                   RopeDirection::forward);
  };
  const bool packed = closing.kv->entries.row_bytes() == kv_entry_bytes(KvFormat::packed, shape_);
  const auto keep = [&](std::byte* to, auto encode) {
    if (packed)
      encode(to);
    else
      std::memcpy(to, entry.data(), entry.size() * sizeof(float));
  };
  finish(*layer.attention.compressor, closing.kv->main);
  if (numerics_ == Numerics::official)
    kernels().fp8_quantize(entry.data(), c_.nope_dim(), kKvScaleBlock);
  keep(closing.entry, [&](std::byte* to) { kernels().encode_kv(entry.data(), shape_, to); });
  if (!layer.attention.indexer) return;

  const std::int64_t dim = c_.index_head_dim;
  finish(layer.attention.indexer->compressor, closing.kv->index);
  kernels().hadamard(entry.data(), dim);
  if (numerics_ == Numerics::official) kernels().fp4_quantize(entry.data(), dim);
  keep(closing.key, [&](std::byte* to) { kernels().encode_index_key(entry.data(), dim, to); });
}

void AttentionBlock::rotate_queries(const Layer& layer, std::int64_t tokens) {
  const Angles& angles = angles_of(layer);
  const auto pairs = static_cast<std::int64_t>(angles.frequencies.pairs());
  const bool indexes = layer.attention.indexer.has_value();
  products_.pool().parallel_for(tokens, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const float* cos = &angles.cos[static_cast<std::size_t>(t * pairs)];
      const float* sin = &angles.sin[static_cast<std::size_t>(t * pairs)];
      for (std::int64_t h = 0; h < c_.heads; ++h) {
        float* query = queries_.row(t) + h * c_.head_dim;
        kernels().rms_norm(query, nullptr, static_cast<float>(c_.norm_eps), c_.head_dim, query);
        kernels().rope(query + c_.nope_dim(), cos, sin, pairs, RopeDirection::forward);
      }
      if (!indexes) continue;
      for (std::int64_t h = 0; h < c_.index_heads; ++h) {
        float* query = index_queries_.row(t) + h * c_.index_head_dim;
        kernels().rope(query + c_.index_head_dim - c_.rope_dim, cos, sin, pairs,
                       RopeDirection::forward);
        kernels().hadamard(query, c_.index_head_dim);
      }
      if (numerics_ == Numerics::official)
        kernels().fp4_quantize(index_queries_.row(t), index_queries_.width);
      const float scale = 1 / std::sqrt(static_cast<float>(c_.index_head_dim * c_.index_heads));
      for (std::int64_t h = 0; h < c_.index_heads; ++h) head_weights_.row(t)[h] *= scale;
    }
  });
}

/// §2.6.2. Where all visible entries fit into the selection, scores do not matter.
void AttentionBlock::choose_entries(std::int64_t index, std::span<const BatchToken> tokens) {
  if (chosen_.size() < tokens.size()) chosen_.resize(tokens.size());
  const auto choose = [&](std::int64_t t) {
    const BatchToken& token = tokens[static_cast<std::size_t>(t)];
    choose_for(token.kv->layer(index), t, (token.position + 1) / kCsaRatio);
  };
  const auto count = static_cast<std::int64_t>(tokens.size());
  if (count < kTokensToScoreApart) {
    for (std::int64_t t = 0; t < count; ++t) choose(t);
    return;
  }
  products_.pool().parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) choose(t);
  });
}

/// Called on any thread: inside a parallel loop its own one runs on the calling thread.
void AttentionBlock::choose_for(LayerKv& kv, std::int64_t row, std::int64_t visible) {
  static thread_local std::vector<float> scores;
  std::vector<std::int32_t>& chosen = chosen_[static_cast<std::size_t>(row)];
  if (visible <= c_.index_topk) {
    chosen.resize(static_cast<std::size_t>(visible));
    for (std::int64_t b = 0; b < visible; ++b)
      chosen[static_cast<std::size_t>(b)] = static_cast<std::int32_t>(b);
    return;
  }
  scores.resize(static_cast<std::size_t>(visible));
  float* const out = scores.data();
  const bool packed =
      kv.index_keys.row_bytes() == index_key_bytes(KvFormat::packed, c_.index_head_dim);
  const std::int64_t per_run = kv.index_keys.contiguous(0);  // of a full page
  const std::int64_t runs = (visible + per_run - 1) / per_run;
  products_.pool().parallel_for(runs, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t run = begin; run < end; ++run) {
      const std::int64_t first = run * per_run;
      IndexScoring scoring;
      scoring.queries = index_queries_.row(row);
      scoring.weights = head_weights_.row(row);
      scoring.heads = c_.index_heads;
      scoring.dims = c_.index_head_dim;
      scoring.format = packed ? KvFormat::packed : KvFormat::f32;
      scoring.keys = kv.index_keys.row(first);
      scoring.count = std::min(per_run, visible - first);
      scoring.scores = out + first;
      kernels().index_scores(scoring);
    }
  });
  top_k(scores, c_.index_topk, chosen);
}

void AttentionBlock::attend(const Layer& layer, std::int64_t index,
                            std::span<const BatchToken> tokens) {
  const Angles& angles = angles_of(layer);
  const auto pairs = static_cast<std::int64_t>(angles.frequencies.pairs());
  const std::int64_t tasks_per_token = (c_.heads + kHeadsPerTask - 1) / kHeadsPerTask;
  mixed_ = rows_in(mixed_buffer_, kv_.n, c_.heads * c_.head_dim);
  products_.pool().parallel_for(
      kv_.n * tasks_per_token, 1, [&](std::int64_t begin, std::int64_t end) {
        static thread_local std::vector<const std::byte*> entries;
        for (std::int64_t task = begin; task < end; ++task) {
          const std::int64_t t = task / tasks_per_token;
          const std::int64_t head = task % tasks_per_token * kHeadsPerTask;
          const BatchToken& token = tokens[static_cast<std::size_t>(t)];
          const LayerKv& kv = token.kv->layer(index);
          entries.clear();
          for (std::int64_t p = std::max(kv.seen_from, token.position - c_.window + 1);
               p <= token.position; ++p)
            entries.push_back(kv.window.row(p));
          if (layer.kind == AttentionKind::csa)
            for (const std::int32_t entry : chosen_[static_cast<std::size_t>(t)])
              entries.push_back(kv.entries.row(entry));
          if (layer.kind == AttentionKind::hca)
            for (std::int64_t entry = 0; entry < (token.position + 1) / layer.ratio; ++entry)
              entries.push_back(kv.entries.row(entry));

          Attention attention;
          attention.queries = queries_.row(t) + head * c_.head_dim;
          attention.heads = std::min(kHeadsPerTask, c_.heads - head);
          attention.sinks = &layer.attention.sink[static_cast<std::size_t>(head)];
          attention.scale = 1 / std::sqrt(static_cast<float>(c_.head_dim));
          attention.shape = shape_;
          attention.format = token.kv->format();
          attention.entries = entries.data();
          attention.entry_count = static_cast<std::int64_t>(entries.size());
          attention.out = mixed_.row(t) + head * c_.head_dim;
          kernels().attend(attention);
          for (std::int64_t h = 0; h < attention.heads; ++h)
            kernels().rope(attention.out + h * c_.head_dim + c_.nope_dim(),
                           &angles.cos[static_cast<std::size_t>(t * pairs)],
                           &angles.sin[static_cast<std::size_t>(t * pairs)], pairs,
                           RopeDirection::inverse);
        }
      });
}

/// §2.6 step 7: each group of heads has its own rows of wo_a.
void AttentionBlock::project_out(const Layer& layer, const Rows& output) {
  const AttentionWeights& a = layer.attention;
  const std::int64_t width = mixed_.width / c_.o_groups;
  const Rows groups = rows_in(group_buffer_, mixed_.n, c_.o_groups * c_.o_lora_rank);
  for (std::int64_t g = 0; g < c_.o_groups; ++g) {
    PreparedRows& input = group_inputs_[static_cast<std::size_t>(g)];
    input.reset({mixed_.data + g * width, mixed_.n, width, mixed_.width});
    products_.add({&a.wo_a,
                   {g * c_.o_lora_rank, (g + 1) * c_.o_lora_rank},
                   input.get(a.wo_a.format, products_.pool()),
                   {groups.data, groups.width}});
  }
  products_.run();
  round_activations(numerics_, groups.data, groups.n * groups.width);
  rounded_output_.reset(groups.activations());
  products_.add(a.wo_b, rounded_output_, output);
  products_.run();
}

}  // namespace fathom::engine
