// One attention block with weights that a test sets by hand, so that what it puts out can be said
// in a line of arithmetic.
//
// At first every projection is the identity and every norm's weight one: a token's query, latent
// and the K of its compressors are its input divided by its root mean square. Blocks are the mean
// of their own tokens: with overlap the previous block's half has a score of -1000. Sinks are -inf.
// Outputs are those of one head, `shown_head`.
#pragma once

#include "engine/local/attention_block.hpp"
#include "tests/engine/pitfalls/plain_matrix.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace fathom::test {

using Values = std::vector<float>;

constexpr std::int64_t kRigNope = 64;
constexpr std::int64_t kRigRope = 16;
constexpr std::int64_t kRigDim = kRigNope + kRigRope;  ///< of inputs, latents, entries and outputs
constexpr std::int64_t kRigIndexDim = 32;
/// Rounding of f32 against the double arithmetic here, on values of size ten.
constexpr float kRigBound = 2e-4F;

class AttentionRig {
 public:
  /// `ratio` as in compress_ratios.
  explicit AttentionRig(std::int64_t ratio, std::int64_t heads = 1, std::int64_t index_heads = 1);

  [[nodiscard]] engine::LiveKv new_kv() const { return {config, engine::KvFormat::f32}; }
  /// The next inputs, `chunk` of them a call; the outputs. 0 is all at once.
  std::vector<Values> run(engine::LiveKv& kv, std::span<const Values> inputs,
                          std::int64_t chunk = 0) const;
  /// run() on a sequence of its own.
  [[nodiscard]] std::vector<Values> run(std::span<const Values> inputs) const;
  /// Where all scores are equal every visible entry has the same weight: its output shows them.
  void make_attention_uniform() { wq_b.clear(); }

  engine::ModelConfig config;
  PlainMatrix wq_a{kRigDim, kRigDim}, wq_b, wkv{kRigDim, kRigDim};
  PlainMatrix main_wkv, main_wgate, index_wq_b, weights_proj, index_wkv, index_wgate;
  std::vector<float> q_norm, sinks, main_ape, index_ape;
  std::int64_t shown_head = 0;

 private:
  [[nodiscard]] engine::Compressor compressor(std::int64_t dim, const PlainMatrix& keys,
                                              const PlainMatrix& gate,
                                              const std::vector<float>& ape) const;
  [[nodiscard]] engine::Layer layer(const PlainMatrix& wo_a, const PlainMatrix& wo_b) const;
  void run_chunk(const engine::Layer& layer, engine::LiveKv& kv, std::span<const Values> inputs,
                 std::vector<Values>& outputs) const;
};

/// Which pair frequencies a layer uses (v4-spec §2.5), written a second time.
enum class RopeBase : bool { plain, yarn };
double frequency(const engine::ModelConfig& config, RopeBase base, std::int64_t pair);

/// x / rms(x)
Values normed(std::span<const float> x);
/// The last kRigRope values turned by the angles of `position`.
Values roped(const engine::ModelConfig& config, RopeBase base, Values x, std::int64_t position);

/// A latent or an entry before rope, and the position it is roped at.
struct Visible {
  Values value;
  std::int64_t position = 0;
};
/// §2.6 steps 5 and 6 in double for one head, from a query before rope.
Values attended(const engine::ModelConfig& config, RopeBase base, const Visible& query,
                std::span<const Visible> visible, double sink);

/// Values of size one, the same for the same seed everywhere.
Values noise(std::size_t size, std::uint32_t seed);
float largest_difference(std::span<const float> a, std::span<const float> b);
/// A row of f32 of a sequence's KV.
std::span<const float> floats(const engine::PagedRows& rows, std::int64_t index);

}  // namespace fathom::test
