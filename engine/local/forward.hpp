// The fast forward pass of V4: chunks of tokens of one or more sequences, from ids to logits
// (v4-spec §2).
//
// What a token gets does not depend on what else is in the batch, how a prompt was cut into chunks,
// or how many threads work: every sum has one order (engine/cpu/kernels.hpp), and tokens meet only
// in attention, through the KV.
#pragma once

#include "engine/cpu/thread_pool.hpp"
#include "engine/kv/live_kv.hpp"
#include "engine/local/attention_block.hpp"
#include "engine/local/hyper_connections.hpp"
#include "engine/local/moe_block.hpp"
#include "engine/local/products.hpp"
#include "engine/model/quant_formats.hpp"
#include "engine/model/weights.hpp"
#include "engine/text/token.hpp"
#include "runtime/base/result.hpp"

#include <functional>
#include <span>
#include <vector>

namespace fathom::engine {

/// Rows of a batch whose logits are wanted.
enum class LogitRows : std::uint8_t { none, last, all };

/// The next tokens of one sequence. A sequence stands in a batch once.
struct Feed {
  LiveKv* kv = nullptr;
  std::span<const TokenId> tokens;
  LogitRows logits = LogitRows::last;
};

/// Whether the streams of the last tokens are kept, so that the MTP block can follow.
enum class Drafting : bool { off, on };

class Forward {
 public:
  /// Tokens of one call; a longer prompt is fed in chunks.
  static constexpr std::int64_t kBatchTokensMax = 1024;

  Forward(const Weights& weights, Numerics numerics, ThreadPool& pool,
          Drafting drafting = Drafting::off);

  /// KV of the form that these numerics keep.
  [[nodiscard]] LiveKv new_kv() const { return {c_, kv_format()}; }
  [[nodiscard]] KvFormat kv_format() const;
  [[nodiscard]] Drafting drafting() const { return drafting_; }

  /// Runs the tokens and advances each feed's KV. The logits of the wanted rows, [vocab] each, in
  /// the order of the feeds; valid until the next call. Fails, before anything is changed, for an
  /// id outside the vocabulary, a sequence that would pass the context's end, or a batch that is
  /// too large.
  Result<std::span<const float>> run(std::span<const Feed> feeds);

  /// The MTP block over the next positions that it has not seen: `tokens` are those behind the
  /// positions. It must not pass the main model. Logits as in run().
  Result<std::span<const float>> run_mtp(std::span<const Feed> feeds);

  /// Called with intermediate rows, for comparison with the reference. Not for use in production.
  using Observer = std::function<void(std::string_view name, std::int64_t layer,
                                      std::int64_t position, std::span<const float>)>;
  void observe(Observer observer) { observer_ = std::move(observer); }

 private:
  Result<> check(std::span<const Feed> feeds, bool mtp) const;
  void collect(std::span<const Feed> feeds, bool mtp);
  void embed(TokenId token, float* out) const;
  void run_layer(const Layer& layer, std::int64_t index, const Rows& streams);
  void keep_streams(const Rows& streams);
  std::span<const float> logits(const OutputHead& head, const Rows& streams);
  void see(std::string_view name, std::int64_t layer, const Rows& rows) const;
  [[nodiscard]] Rows stream_rows(std::int64_t n);

  const Weights& weights_;
  const ModelConfig& c_;
  const Numerics numerics_;
  const Drafting drafting_;
  ProductRunner products_;
  HyperConnections hyper_;
  AttentionBlock attention_;
  MoeBlock moe_;
  Observer observer_;

  std::vector<BatchToken> tokens_;
  std::vector<std::int64_t> wanted_;  ///< rows whose logits are wanted
  FloatBuffer streams_buffer_, input_buffer_, output_buffer_, wanted_buffer_, logits_buffer_,
      mtp_buffer_;
  PreparedRows head_input_;
  PreparedRows embedding_input_;
  PreparedRows stream_input_;
};

}  // namespace fathom::engine
