// The shape of a V4 model: config.json in either spelling, with every field checked against every
// other.
#pragma once

#include "engine/text/chat_profile.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace fathom::engine {

/// How the layers draft tokens ahead: a release has the classic MTP block, DSpark stages or
/// nothing.
enum class DraftKind : std::uint8_t { none, mtp, dspark };

/// What a layer sees besides its window (the paper's names).
enum class AttentionKind : std::uint8_t {
  window,  ///< ratio 0: the sliding window alone
  csa,     ///< ratio 4: compressed sparse attention, chosen by the indexer
  hca,     ///< any other ratio: heavily compressed attention, all entries visible
};

constexpr std::int64_t kCsaRatio = 4;  ///< the ratio that means CSA, by the reference's own test

/// The names are those of the release's config.json where it has a plain one. Validated: whoever
/// holds a ModelConfig may rely on every relation that `validate` states.
struct ModelConfig {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t layers = 0;      ///< main layers, without MTP
  std::int64_t mtp_layers = 0;  ///< blocks of the classic MTP; 0 or 1
  std::int64_t hash_layers = 0;
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t rope_dim = 0;  ///< the last dims of a head
  std::int64_t q_lora_rank = 0;
  std::int64_t o_groups = 0;
  std::int64_t o_lora_rank = 0;
  std::int64_t window = 0;                    ///< positions a query sees, its own included
  std::vector<std::int64_t> compress_ratios;  ///< one per main layer, then one per MTP block
  double rope_theta = 0;                      ///< of ratio-0 layers
  double compress_rope_theta = 0;             ///< of all others, with YaRN
  double rope_factor = 1;
  std::int64_t rope_original_context = 0;  ///< 0: no YaRN
  double rope_beta_fast = 32;
  double rope_beta_slow = 1;
  std::int64_t context_max = 0;
  std::int64_t index_heads = 0;
  std::int64_t index_head_dim = 0;
  std::int64_t index_topk = 0;
  std::int64_t experts = 0;  ///< routed
  std::int64_t experts_per_token = 0;
  std::int64_t expert_hidden = 0;
  double routed_scaling = 1;
  double swiglu_limit = 0;  ///< 0: no clamp
  std::int64_t hc_mult = 0;
  std::int64_t sinkhorn_iters = 0;
  double hc_eps = 1e-6;
  double norm_eps = 1e-6;
  std::int64_t bos_id = 0;
  std::int64_t eos_id = 1;
  DraftKind draft = DraftKind::none;
  ChatProfile chat_profile = ChatProfile::preview;

  [[nodiscard]] std::int64_t nope_dim() const { return head_dim - rope_dim; }
  /// Rows of hc_*_fn: `hc` read weights, `hc` write weights and the `hc` x `hc` map between
  /// streams.
  [[nodiscard]] std::int64_t hc_rows() const { return (2 + hc_mult) * hc_mult; }
  [[nodiscard]] std::int64_t ratio(std::int64_t layer) const {
    return compress_ratios[static_cast<std::size_t>(layer)];
  }
  [[nodiscard]] AttentionKind kind(std::int64_t layer) const;
  [[nodiscard]] bool uses_indexer() const;

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

constexpr std::size_t kConfigBytesMax = 1 << 20;

/// Reads the release's names (`hidden_size`) or the reference code's (`dim`), not a mixture. Errors
/// name the key and what it must be; an unknown key is one, with the nearest known one.
Result<ModelConfig> parse_config(std::string_view json_text);

/// `dir`/config.json.
Result<ModelConfig> load_config(const std::filesystem::path& dir);

/// Every relation between the fields that the forward pass relies on.
Result<> validate(const ModelConfig& config);

/// config.json in the release's spelling.
std::string to_json(const ModelConfig& config);

}  // namespace fathom::engine
