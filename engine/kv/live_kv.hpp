// What one sequence keeps between calls of the forward pass (v4-spec §3.1): for each layer the
// latents of its window, the compressed entries, the indexer's keys, and the compressors' rows of
// blocks that are still open.
//
// Entries and keys are append-only and immutable; the rest is a small frontier behind the last
// token. Rows behind the frontier stay for kRollbackTokensMax tokens, so that the last tokens can
// be taken back exactly: then nothing is recomputed and nothing copied, the ends of the lists move.
#pragma once

#include "engine/cpu/entries.hpp"
#include "engine/kv/paged_rows.hpp"
#include "engine/model/config.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <vector>

namespace fathom::engine {

/// The projected rows of one compressor: K and S with its position's ape added, f32.
struct CompressorRows {
  PagedRows keys;
  PagedRows scores;
};

struct LayerKv {
  AttentionKind kind{};
  std::int64_t ratio = 0;
  PagedRows window;            ///< a latent for each token
  std::int64_t seen_from = 0;  ///< the first position that this layer saw: MTP may skip ahead
  PagedRows entries;           ///< one for `ratio` tokens
  PagedRows index_keys;        ///< of CSA layers, beside each entry
  CompressorRows main;
  CompressorRows index;
};

class LiveKv {
 public:
  /// How many of the last tokens can be taken back.
  static constexpr std::int64_t kRollbackTokensMax = 384;

  LiveKv(const ModelConfig& config, KvFormat format);

  /// A branch with the same past. It costs lists of pages; both sides go on independently.
  [[nodiscard]] LiveKv fork() const { return *this; }

  /// Tokens seen; the position of the next one.
  [[nodiscard]] std::int64_t position() const { return position_; }
  /// Positions that the MTP block has seen; it follows the main model.
  [[nodiscard]] std::int64_t mtp_position() const { return mtp_position_; }
  [[nodiscard]] KvFormat format() const { return format_; }

  /// A main layer, or behind them the MTP block's.
  [[nodiscard]] LayerKv& layer(std::int64_t index) {
    return layers_[static_cast<std::size_t>(index)];
  }
  /// The streams behind the last main layer, [hc * d] f32, of the last kRollbackTokensMax
  /// positions: what MTP may still ask for.
  [[nodiscard]] PagedRows& streams() { return streams_; }

  /// After the layers got their rows for `tokens` more tokens: forgets what no window and no
  /// rollback needs.
  void advance(std::int64_t tokens);
  void advance_mtp(std::int64_t tokens);

  /// Where MTP has to go on so that it sees all of its window at the frontier: it has one layer and
  /// sees one window, so what lies further back changes nothing. Skipping there costs a long
  /// prompt nothing.
  [[nodiscard]] std::int64_t mtp_start() const;
  /// Lets MTP go on at `position`, as if it had seen nothing before.
  void skip_mtp(std::int64_t position);

  /// Takes back the last `tokens` tokens, of MTP too. Fails with `too_large` beyond what is kept.
  Result<> rollback(std::int64_t tokens);
  [[nodiscard]] std::int64_t rollback_max() const;

  /// Memory that this sequence refers to, what it shares with forks included.
  [[nodiscard]] std::int64_t bytes() const;

 private:
  void trim(LayerKv& layer, std::int64_t position) const;

  KvFormat format_;
  std::int64_t window_;
  std::int64_t main_layers_;
  std::int64_t position_ = 0;
  std::int64_t mtp_position_ = 0;
  std::int64_t floor_ = 0;  ///< the earliest position that rollback can reach
  std::vector<LayerKv> layers_;
  PagedRows streams_;
};

/// Bytes of entries and keys that a token leaves behind for good, and bytes that every sequence
/// holds besides.
struct KvCost {
  double bytes_per_token = 0;
  std::int64_t frontier_bytes = 0;
};
[[nodiscard]] KvCost kv_cost(const ModelConfig& config, KvFormat format);

[[nodiscard]] KvShape kv_shape(const ModelConfig& config);

}  // namespace fathom::engine
