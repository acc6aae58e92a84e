// The mixture of experts of a layer for a batch of tokens (v4-spec §2.7). Tokens are gathered by
// expert, so that each expert's weights are read once.
#pragma once

#include "engine/local/attention_block.hpp"
#include "engine/local/products.hpp"
#include "engine/model/quant_formats.hpp"
#include "engine/model/weights.hpp"

#include <span>
#include <vector>

namespace fathom::engine {

class MoeBlock {
 public:
  MoeBlock(const ModelConfig& config, Numerics numerics, ProductRunner& products)
      : c_(config), numerics_(numerics), products_(products) {}

  /// Writes the sub-block's output, [d] a row.
  void run(const Moe& moe, std::span<const BatchToken> tokens, const Rows& input,
           const Rows& output);

  /// Experts of a token in the last run, and their weights, in the order in which they are added;
  /// for tests.
  [[nodiscard]] std::span<const std::int32_t> experts(std::int64_t token) const;
  [[nodiscard]] std::span<const float> weights(std::int64_t token) const;

 private:
  /// Rows of the gathered buffers that one expert computes; the shared expert is the last group.
  struct Group {
    const Expert* expert = nullptr;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    PreparedActivations input;  ///< of the products in hand
  };

  void route(const Moe& moe, std::span<const BatchToken> tokens, const Rows& input);
  void gather(const Moe& moe, std::int64_t tokens);
  void activate();
  void gather_inputs(const Rows& rounded);

  const ModelConfig& c_;
  const Numerics numerics_;
  ProductRunner& products_;
  PreparedRows plain_input_;
  FloatBuffer rounded_buffer_, score_buffer_, gather_buffer_, gate_buffer_, up_buffer_,
      prepared_buffer_, part_buffer_;
  std::vector<std::int32_t> experts_;  ///< [tokens][experts_per_token]
  std::vector<float> weights_;         ///< likewise
  std::vector<std::int32_t> selection_;
  std::vector<float> biased_;
  std::vector<Group> groups_;
  std::vector<std::int64_t> token_of_;     ///< of each gathered row
  std::vector<float> weight_of_;           ///< likewise; 1 for the shared expert
  std::vector<std::int64_t> row_of_;       ///< [tokens][experts_per_token + 1]: where its parts are
  std::vector<std::int64_t> group_sizes_;  ///< [experts]
};

}  // namespace fathom::engine
