// The attention of a layer for a batch of tokens (v4-spec §2.6): the window, the compressed entries
// that the indexer or the ratio makes visible, and the grouped projection.
#pragma once

#include "engine/kv/live_kv.hpp"
#include "engine/local/products.hpp"
#include "engine/model/quant_formats.hpp"
#include "engine/model/rope.hpp"
#include "engine/model/weights.hpp"
#include "engine/text/token.hpp"

#include <span>
#include <vector>

namespace fathom::engine {

/// One token of a batch. Tokens of a sequence stand in a row, in order.
struct BatchToken {
  LiveKv* kv = nullptr;
  std::int64_t position = 0;
  TokenId token = 0;
};

class AttentionBlock {
 public:
  AttentionBlock(const ModelConfig& config, Numerics numerics, ProductRunner& products);

  /// Angles for the tokens' positions: before the first layer of a batch.
  void begin(std::span<const BatchToken> tokens);
  /// Appends to layer `index` of each token's KV and writes the sub-block's output, [d] a row.
  void run(const Layer& layer, std::int64_t index, std::span<const BatchToken> tokens,
           const Rows& input, const Rows& output);

 private:
  struct Angles {
    RopeFrequencies frequencies;
    std::vector<float> cos;  ///< [tokens][pairs]
    std::vector<float> sin;
  };
  /// A block of tokens whose last one is in this batch.
  struct Closing {
    LayerKv* kv = nullptr;
    std::int64_t block = 0;
    std::byte* entry = nullptr;
    std::byte* key = nullptr;  ///< of CSA layers
  };

  void project(const Layer& layer, const Rows& input);
  void append_latents(const Layer& layer, std::int64_t index, std::span<const BatchToken> tokens);
  void append_compressor_rows(const Compressor& compressor, CompressorRows LayerKv::* rows,
                              std::int64_t index, std::span<const BatchToken> tokens);
  void close_blocks(const Layer& layer, std::int64_t index, std::span<const BatchToken> tokens);
  void make_entry(const Layer& layer, const Closing& closing) const;
  void rotate_queries(const Layer& layer, std::int64_t tokens);
  void choose_entries(std::int64_t index, std::span<const BatchToken> tokens);
  void choose_for(LayerKv& kv, std::int64_t row, std::int64_t visible);
  void attend(const Layer& layer, std::int64_t index, std::span<const BatchToken> tokens);
  void project_out(const Layer& layer, const Rows& output);
  [[nodiscard]] const Angles& angles_of(const Layer& layer) const;

  const ModelConfig& c_;
  const Numerics numerics_;
  ProductRunner& products_;
  const KvShape shape_;
  Angles window_angles_;
  Angles compressed_angles_;
  Angles* const both_angles_[2] = {&window_angles_, &compressed_angles_};

  PreparedRows plain_input_;    ///< as it came: compressors and the indexer's weights
  PreparedRows rounded_input_;  ///< as FP8 linears read it
  PreparedRows rounded_latent_;
  std::vector<PreparedRows> group_inputs_;
  PreparedRows rounded_output_;
  FloatBuffer rounded_buffer_, latent_buffer_, query_buffer_, kv_buffer_, keys_buffer_,
      scores_buffer_;
  FloatBuffer index_query_buffer_, index_keys_buffer_, index_scores_buffer_, head_weight_buffer_,
      mixed_buffer_, group_buffer_, entry_scores_buffer_;
  Rows latent_, queries_, kv_, keys_, scores_, index_queries_, index_keys_, index_scores_,
      head_weights_, mixed_;
  std::vector<Closing> closing_;
  std::vector<std::vector<std::int32_t>> chosen_;  ///< of each token, by the indexer
};

}  // namespace fathom::engine
