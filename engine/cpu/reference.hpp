// The V4 forward pass as v4-spec §2 says it: one token at a time, scalar, every sum in double, all
// state kept. Slow and plain on purpose: what the fast path is compared with, itself compared with
// the golden vectors.
#pragma once

#include "engine/model/quant_formats.hpp"
#include "engine/model/rope.hpp"
#include "engine/model/weights.hpp"

#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace fathom::engine {

using Values = std::vector<float>;

/// Receives every intermediate vector under its name in the golden vectors' README.
using Observer = std::function<void(std::string_view name, std::int64_t layer,
                                    std::int64_t position, std::span<const float> values)>;

/// What one compressor keeps: the projected rows of every token and the entries closed so far.
struct ReferenceCompression {
  std::vector<Values> keys;    ///< K_p, [columns]
  std::vector<Values> scores;  ///< S_p with ape added, [columns]
  std::vector<Values> entries;
};

struct ReferenceLayerState {
  std::vector<Values> kv;  ///< window latents of every position, [head_dim]
  ReferenceCompression main;
  ReferenceCompression index;
};

class Reference {
 public:
  Reference(const Weights& weights, Numerics numerics, Observer observer = {});

  /// Feeds the next token; the logits of what follows, [vocab].
  Values step(std::int64_t token);
  /// MTP at the next position that it has not seen, given the token behind that position: logits of
  /// the token after that one. step() must already have seen the position.
  Values mtp_step(std::int64_t next_token);
  /// Forgets the last `tokens` positions.
  void rollback(std::int64_t tokens);
  [[nodiscard]] std::int64_t position() const { return position_; }

  /// One layer's attention at the next position of `state`, for the layer-local gate.
  Values attention(const Layer& layer, std::int64_t index, ReferenceLayerState& state,
                   const Values& input) const;
  /// §2.7
  Values moe(const Moe& moe, std::int64_t index, std::int64_t position, std::int64_t token,
             const Values& input) const;

  static constexpr std::int64_t kMainHead =
      -1;  ///< the layer under which head_u of the main model is seen

 private:
  enum class EntryUse : bool { kv, index };
  struct Mix {
    Values pre;   ///< [hc]
    Values post;  ///< [hc]
    Values comb;  ///< [source][destination]
  };
  struct Gate {
    std::vector<std::size_t> experts;
    Values weights;
  };

  void see(std::string_view name, std::int64_t layer, std::int64_t position,
           std::span<const float> values) const;
  [[nodiscard]] Values linear(const WeightMatrix& matrix, Values input) const;
  [[nodiscard]] Values embedding(std::int64_t token) const;
  [[nodiscard]] Mix mix(const HyperConnection& hc, const Values& streams) const;
  [[nodiscard]] Values read_streams(const Values& pre, const Values& streams) const;
  [[nodiscard]] Values write_streams(const Mix& mix, const Values& output,
                                     const Values& streams) const;
  void run_layer(const Layer& layer, std::int64_t index, ReferenceLayerState& state,
                 std::int64_t token, Values& streams) const;
  void compress(const Compressor& compressor, EntryUse use, ReferenceCompression& state,
                const Values& input, const RopeFrequencies& frequencies) const;
  [[nodiscard]] Values close_block(const Compressor& compressor, const ReferenceCompression& state,
                                   std::size_t block) const;
  [[nodiscard]] std::vector<std::size_t> choose_entries(const Layer& layer, std::int64_t index,
                                                        const ReferenceLayerState& state,
                                                        const Values& latent,
                                                        const Values& input) const;
  [[nodiscard]] Values project_out(const AttentionWeights& attention, std::int64_t index,
                                   std::int64_t position, const Values& mixed) const;
  [[nodiscard]] Gate route(const Moe& moe, std::int64_t token, const Values& scores) const;
  [[nodiscard]] Values expert(const Expert& expert, const Values& input, float weight) const;
  [[nodiscard]] Values logits(const OutputHead& output, std::int64_t layer, std::int64_t position,
                              const Values& streams) const;

  const Weights& weights_;
  const ModelConfig& c_;
  const Numerics numerics_;
  const Observer observer_;
  std::int64_t position_ = 0;
  std::vector<ReferenceLayerState> layers_;
  ReferenceLayerState mtp_;
  std::vector<Values> streams_;  ///< of every position, after the last main layer
};

}  // namespace fathom::engine
