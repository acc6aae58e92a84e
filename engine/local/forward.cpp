#include "engine/local/forward.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace fathom::engine {
namespace {

std::size_t bytes_of(std::int64_t floats) {
  return static_cast<std::size_t>(floats) * sizeof(float);
}

}  // namespace

Forward::Forward(const Weights& weights, Numerics numerics, ThreadPool& pool, Drafting drafting)
    : weights_(weights),
      c_(weights.config),
      numerics_(numerics),
      drafting_(drafting),
      products_(pool),
      hyper_(weights.config, products_),
      attention_(weights.config, numerics, products_),
      moe_(weights.config, numerics, products_) {
  ENSURE(drafting == Drafting::off || weights.mtp.has_value(),
         "only a model with an MTP block drafts");
}

KvFormat Forward::kv_format() const {
  return numerics_ == Numerics::official ? KvFormat::packed : KvFormat::f32;
}

Result<> Forward::check(std::span<const Feed> feeds, bool mtp) const {
  std::int64_t total = 0;
  for (const Feed& feed : feeds) {
    const auto count = static_cast<std::int64_t>(feed.tokens.size());
    const std::int64_t position = mtp ? feed.kv->mtp_position() : feed.kv->position();
    total += count;
    for (const TokenId token : feed.tokens)
      if (token < 0 || token >= c_.vocab_size)
        return fail(ErrorCode::bad_data, "token id " + std::to_string(token) +
                                             ": the vocabulary has 0 to " +
                                             std::to_string(c_.vocab_size - 1));
    if (position + count > c_.context_max)
      return fail(ErrorCode::too_large, "the context would be " + std::to_string(position + count) +
                                            " tokens: the model's has " +
                                            std::to_string(c_.context_max));
    ENSURE(!mtp || position + count <= feed.kv->position(), "MTP follows the main model");
  }
  if (total > kBatchTokensMax)
    return fail(ErrorCode::too_large, "a batch of " + std::to_string(total) +
                                          " tokens: feed at most " +
                                          std::to_string(kBatchTokensMax) + " at a time");
  return {};
}

void Forward::collect(std::span<const Feed> feeds, bool mtp) {
  tokens_.clear();
  wanted_.clear();
  for (const Feed& feed : feeds) {
    std::int64_t position = mtp ? feed.kv->mtp_position() : feed.kv->position();
    for (const TokenId token : feed.tokens) tokens_.push_back({feed.kv, position++, token});
    const auto end = static_cast<std::int64_t>(tokens_.size());
    const auto count = static_cast<std::int64_t>(feed.tokens.size());
    if (feed.logits == LogitRows::all)
      for (std::int64_t row = end - count; row < end; ++row) wanted_.push_back(row);
    if (feed.logits == LogitRows::last && count > 0) wanted_.push_back(end - 1);
  }
}

void Forward::embed(TokenId token, float* out) const {
  dequantize_row(weights_.embed, token, std::span(out, static_cast<std::size_t>(c_.hidden_size)));
}

Rows Forward::stream_rows(std::int64_t n) {
  const std::int64_t width = c_.hc_mult * c_.hidden_size;
  return {streams_buffer_.get(n * width), n, width};
}

void Forward::see(std::string_view name, std::int64_t layer, const Rows& rows) const {
  if (!observer_) return;
  for (std::int64_t r = 0; r < rows.n; ++r)
    observer_(name, layer, tokens_[static_cast<std::size_t>(r)].position,
              std::span(rows.row(r), static_cast<std::size_t>(rows.width)));
}

/// §2.4
void Forward::run_layer(const Layer& layer, std::int64_t index, const Rows& streams) {
  const std::int64_t d = c_.hidden_size;
  const Rows input{input_buffer_.get(streams.n * d), streams.n, d};
  const Rows output{output_buffer_.get(streams.n * d), streams.n, d};
  const auto norm = [&](const std::vector<float>& weight) {
    for (std::int64_t r = 0; r < input.n; ++r)
      kernels().rms_norm(input.row(r), weight.data(), static_cast<float>(c_.norm_eps), d,
                         input.row(r));
  };
  hyper_.read(layer.hc_attn, streams, input);
  see("hc_attn_u", index, input);
  norm(layer.attn_norm);
  see("attn_in", index, input);
  attention_.run(layer, index, tokens_, input, output);
  see("attn_out", index, output);
  hyper_.write(output, streams);
  see("X_mid", index, streams);

  hyper_.read(layer.hc_ffn, streams, input);
  see("hc_ffn_u", index, input);
  norm(layer.ffn_norm);
  see("ffn_in", index, input);
  moe_.run(layer.moe, tokens_, input, output);
  if (observer_)
    for (std::int64_t t = 0; t < streams.n; ++t) {
      const auto experts = moe_.experts(t);
      const std::int64_t position = tokens_[static_cast<std::size_t>(t)].position;
      observer_("gate_ids", index, position, std::vector<float>(experts.begin(), experts.end()));
      observer_("gate_w", index, position, moe_.weights(t));
    }
  see("ffn_out", index, output);
  hyper_.write(output, streams);
  see("X", index, streams);
}

/// §2.8, for the wanted rows.
std::span<const float> Forward::logits(const OutputHead& head, const Rows& streams) {
  const auto n = static_cast<std::int64_t>(wanted_.size());
  if (n == 0) return {};
  const Rows wanted{wanted_buffer_.get(n * streams.width), n, streams.width};
  for (std::int64_t r = 0; r < n; ++r)
    std::memcpy(wanted.row(r), streams.row(wanted_[static_cast<std::size_t>(r)]),
                bytes_of(streams.width));
  const Rows u{input_buffer_.get(n * c_.hidden_size), n, c_.hidden_size};
  hyper_.read_head(head, wanted, u);
  for (std::int64_t r = 0; r < n; ++r)
    kernels().rms_norm(u.row(r), head.norm.data(), static_cast<float>(c_.norm_eps), u.width,
                       u.row(r));
  head_input_.reset(u.activations());
  const Rows out{logits_buffer_.get(n * c_.vocab_size), n, c_.vocab_size};
  products_.add(weights_.head, head_input_, out);
  products_.run();
  return {out.data, static_cast<std::size_t>(n * c_.vocab_size)};
}

Result<std::span<const float>> Forward::run(std::span<const Feed> feeds) {
  TRY(check(feeds, false));
  collect(feeds, false);
  const auto n = static_cast<std::int64_t>(tokens_.size());
  if (n == 0) return std::span<const float>{};
  const Rows streams = stream_rows(n);
  for (std::int64_t r = 0; r < n; ++r) {
    float* row = streams.row(r);
    embed(tokens_[static_cast<std::size_t>(r)].token, row);
    for (std::int64_t i = 1; i < c_.hc_mult; ++i)
      std::memcpy(row + i * c_.hidden_size, row, bytes_of(c_.hidden_size));
  }
  attention_.begin(tokens_);
  for (std::int64_t l = 0; l < c_.layers; ++l)
    run_layer(weights_.layers[static_cast<std::size_t>(l)], l, streams);
  if (drafting_ == Drafting::on) keep_streams(streams);
  for (const Feed& feed : feeds) feed.kv->advance(static_cast<std::int64_t>(feed.tokens.size()));
  return logits(weights_.output, streams);
}

void Forward::keep_streams(const Rows& streams) {
  for (std::int64_t r = 0; r < streams.n; ++r) {
    const BatchToken& token = tokens_[static_cast<std::size_t>(r)];
    PagedRows& kept = token.kv->streams();
    // A KV that was fed without drafting begins to keep them here.
    if (kept.size() != token.position) kept.restart(token.position);
    std::memcpy(kept.append(), streams.row(r), bytes_of(streams.width));
  }
}

/// §2.9
Result<std::span<const float>> Forward::run_mtp(std::span<const Feed> feeds) {
  ENSURE(drafting_ == Drafting::on, "the streams that MTP reads are kept only when drafting");
  TRY(check(feeds, true));
  collect(feeds, true);
  const MtpBlock& mtp = *weights_.mtp;
  const auto n = static_cast<std::int64_t>(tokens_.size());
  if (n == 0) return std::span<const float>{};
  const std::int64_t d = c_.hidden_size;
  const std::int64_t hc = c_.hc_mult;
  const auto eps = static_cast<float>(c_.norm_eps);

  // One row for the token, hc rows for the streams of its position.
  float* buffer = mtp_buffer_.get(2 * n * (1 + hc) * d);
  const Rows embedded{buffer, n, d};
  const Rows normed{buffer + n * d, n * hc, d};
  const Rows e{normed.data + n * hc * d, n, d};
  const Rows h{e.data + n * d, n * hc, d};
  for (std::int64_t r = 0; r < n; ++r) {
    const BatchToken& token = tokens_[static_cast<std::size_t>(r)];
    embed(token.token, embedded.row(r));
    kernels().rms_norm(embedded.row(r), mtp.enorm.data(), eps, d, embedded.row(r));
    const auto* streams = reinterpret_cast<const float*>(token.kv->streams().row(token.position));
    for (std::int64_t i = 0; i < hc; ++i)
      kernels().rms_norm(streams + i * d, mtp.hnorm.data(), eps, d, normed.row(r * hc + i));
  }
  round_activations(numerics_, buffer, n * (1 + hc) * d);
  embedding_input_.reset(embedded.activations());
  stream_input_.reset(normed.activations());
  products_.add(mtp.e_proj, embedding_input_, e);
  products_.add(mtp.h_proj, stream_input_, h);
  products_.run();

  const Rows streams = stream_rows(n);
  for (std::int64_t r = 0; r < n; ++r)
    for (std::int64_t i = 0; i < hc; ++i) {
      float* stream = streams.row(r) + i * d;
      std::memcpy(stream, h.row(r * hc + i), bytes_of(d));
      kernels().axpy(1, e.row(r), d, stream);
    }
  attention_.begin(tokens_);
  run_layer(mtp.layer, c_.layers, streams);
  for (const Feed& feed : feeds)
    feed.kv->advance_mtp(static_cast<std::int64_t>(feed.tokens.size()));
  return logits(mtp.output, streams);
}

}  // namespace fathom::engine
