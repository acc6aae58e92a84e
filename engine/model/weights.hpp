// The weights of a V4 model, ready for the forward pass: big matrices as views of the mapped files
// in their stored format, small vectors as f32 in memory. Parts carry the papers' names (v4-spec
// §2).
#pragma once

#include "engine/model/checkpoint.hpp"
#include "engine/model/config.hpp"
#include "engine/model/weight_matrix.hpp"
#include "runtime/base/result.hpp"

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace fathom::engine {

/// §2.2: how a sub-block reads the residual streams and writes them back.
struct HyperConnection {
  WeightMatrix fn;  ///< [(2+hc)*hc, hc*d] f32
  std::vector<float> base;
  std::array<float, 3> scale{};
};

/// §2.6.1, of the main KV (dim = head_dim) or of the indexer (dim = index_head_dim).
struct Compressor {
  std::int64_t ratio = 0;
  std::int64_t dim = 0;
  std::vector<float> ape;  ///< [ratio, columns()]
  WeightMatrix wkv;        ///< [columns(), d]
  WeightMatrix wgate;      ///< [columns(), d]
  std::vector<float> norm;

  /// With overlap (ratio 4) every token has a half for the next block and a half for its own.
  [[nodiscard]] bool overlaps() const { return ratio == kCsaRatio; }
  [[nodiscard]] std::int64_t columns() const { return (overlaps() ? 2 : 1) * dim; }
};

struct Indexer {
  WeightMatrix wq_b;          ///< [index_heads * index_head_dim, q_lora]
  WeightMatrix weights_proj;  ///< [index_heads, d]
  Compressor compressor;
};

struct AttentionWeights {
  WeightMatrix wq_a;
  std::vector<float> q_norm;
  WeightMatrix wq_b;
  WeightMatrix wkv;
  std::vector<float> kv_norm;
  std::vector<float> sink;  ///< [heads]
  WeightMatrix wo_a;        ///< [o_groups * o_lora, heads*head_dim/o_groups]
  WeightMatrix wo_b;
  std::optional<Compressor> compressor;
  std::optional<Indexer> indexer;
};

struct Expert {
  WeightMatrix w1;  ///< gate
  WeightMatrix w2;  ///< down
  WeightMatrix w3;  ///< up
};

/// Experts by token id, of hash layers. Ids were checked against the number of experts.
struct ExpertTable {
  const std::byte* data = nullptr;
  TensorType type = TensorType::i64;
  std::int64_t per_token = 0;

  [[nodiscard]] std::int64_t at(std::int64_t token, std::int64_t k) const;
};

struct Moe {
  WeightMatrix gate;        ///< [experts, d]
  std::vector<float> bias;  ///< [experts]; empty in hash layers
  std::optional<ExpertTable> table;
  std::vector<Expert> experts;
  Expert shared;
};

struct Layer {
  AttentionKind kind{};
  std::int64_t ratio = 0;
  HyperConnection hc_attn;
  std::vector<float> attn_norm;
  AttentionWeights attention;
  HyperConnection hc_ffn;
  std::vector<float> ffn_norm;
  Moe moe;
};

/// §2.8: from the streams to the vector before the vocabulary.
struct OutputHead {
  WeightMatrix hc_fn;  ///< [hc, hc*d] f32
  std::vector<float> hc_base;
  float hc_scale = 0;
  std::vector<float> norm;
};

/// §2.9
struct MtpBlock {
  WeightMatrix e_proj;
  WeightMatrix h_proj;
  std::vector<float> enorm;
  std::vector<float> hnorm;
  Layer layer;
  OutputHead output;
};

struct Weights {
  /// Maps `dir` and checks configuration, names, types and shapes; reads only the small vectors and
  /// the expert tables, which must be finite and in range. The matrices stay on disk until used.
  static Result<Weights> load(const std::filesystem::path& dir);
  static Result<Weights> bind(ModelConfig config, Checkpoint checkpoint);

  ModelConfig config;
  WeightMatrix embed;  ///< [vocab, d]
  std::vector<Layer> layers;
  OutputHead output;
  WeightMatrix head;  ///< [vocab, d]
  std::optional<MtpBlock> mtp;
  Checkpoint checkpoint;  ///< what all of the above points into
};

}  // namespace fathom::engine
