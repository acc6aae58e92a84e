#include "engine/kv/live_kv.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <string>

namespace fathom::engine {
namespace {

constexpr std::int64_t kWindowRowsPerPage = 64;
constexpr std::int64_t kEntriesPerPage =
    256;  // of CSA: 1,024 tokens, a block of the persistent store
constexpr std::int64_t kCompressorRowsPerPage = 32;
constexpr std::int64_t kStreamRowsPerPage = 4;

CompressorRows compressor_rows(std::int64_t ratio, std::int64_t dim) {
  const std::int64_t columns = (ratio == kCsaRatio ? 2 : 1) * dim;
  const auto row_bytes = columns * static_cast<std::int64_t>(sizeof(float));
  return {PagedRows(row_bytes, kCompressorRowsPerPage),
          PagedRows(row_bytes, kCompressorRowsPerPage)};
}

LayerKv layer_kv(const ModelConfig& config, std::int64_t index, KvFormat format) {
  LayerKv out;
  out.kind = config.kind(index);
  out.ratio = config.ratio(index);
  const std::int64_t entry_bytes = kv_entry_bytes(format, kv_shape(config));
  out.window = PagedRows(entry_bytes, kWindowRowsPerPage);
  if (out.ratio == 0) return out;
  // A page of any ratio covers the tokens of one page of CSA entries, as far as the ratio divides
  // them.
  const std::int64_t per_page = std::max<std::int64_t>(kEntriesPerPage * kCsaRatio / out.ratio, 1);
  out.entries = PagedRows(entry_bytes, per_page);
  out.main = compressor_rows(out.ratio, config.head_dim);
  if (out.kind != AttentionKind::csa) return out;
  out.index_keys = PagedRows(index_key_bytes(format, config.index_head_dim), per_page);
  out.index = compressor_rows(out.ratio, config.index_head_dim);
  return out;
}

/// The first compressor row that closing a block from `position` on reads: its own block, and with
/// overlap the one before it.
std::int64_t first_row_needed(const LayerKv& layer, std::int64_t position) {
  const std::int64_t block = position / layer.ratio;
  return std::max<std::int64_t>(block - (layer.ratio == kCsaRatio ? 1 : 0), 0) * layer.ratio;
}

}  // namespace

KvShape kv_shape(const ModelConfig& config) { return {config.nope_dim(), config.rope_dim}; }

LiveKv::LiveKv(const ModelConfig& config, KvFormat format)
    : format_(format), window_(config.window), main_layers_(config.layers) {
  for (std::int64_t i = 0; i < config.layers + config.mtp_layers; ++i)
    layers_.push_back(layer_kv(config, i, format));
  streams_ =
      PagedRows(config.hc_mult * config.hidden_size * static_cast<std::int64_t>(sizeof(float)),
                kStreamRowsPerPage);
}

void LiveKv::trim(LayerKv& layer, std::int64_t position) const {
  const std::int64_t earliest = std::max<std::int64_t>(position - kRollbackTokensMax, 0);
  layer.window.drop_before(earliest - (window_ - 1));
  if (layer.ratio == 0) return;
  const std::int64_t row = first_row_needed(layer, earliest);
  for (CompressorRows* rows : {&layer.main, &layer.index}) {
    rows->keys.drop_before(row);
    rows->scores.drop_before(row);
  }
}

void LiveKv::advance(std::int64_t tokens) {
  position_ += tokens;
  floor_ = std::max(floor_, position_ - kRollbackTokensMax);
  for (std::int64_t i = 0; i < main_layers_; ++i) trim(layer(i), position_);
  streams_.drop_before(position_ - kRollbackTokensMax);
}

void LiveKv::advance_mtp(std::int64_t tokens) {
  mtp_position_ += tokens;
  ENSURE(mtp_position_ <= position_, "MTP follows the main model");
  trim(layer(main_layers_), mtp_position_);
}

std::int64_t LiveKv::mtp_start() const {
  return std::max({mtp_position_, streams_.first(), position_ - window_});
}

void LiveKv::skip_mtp(std::int64_t position) {
  if (position == mtp_position_) return;
  ENSURE(position > mtp_position_ && position <= position_, "MTP skips ahead, to what has streams");
  LayerKv& mtp = layer(main_layers_);
  ENSURE(mtp.ratio == 0, "the MTP block sees a window and nothing else");
  mtp.window.restart(position);
  mtp.seen_from = position;
  mtp_position_ = position;
}

std::int64_t LiveKv::rollback_max() const { return position_ - floor_; }

Result<> LiveKv::rollback(std::int64_t tokens) {
  if (tokens < 0 || tokens > rollback_max())
    return fail(ErrorCode::too_large, "roll back " + std::to_string(tokens) + " tokens: " +
                                          std::to_string(rollback_max()) + " are kept");
  position_ -= tokens;
  mtp_position_ = std::min(mtp_position_, position_);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    LayerKv& layer = layers_[i];
    const std::int64_t position =
        static_cast<std::int64_t>(i) < main_layers_ ? position_ : mtp_position_;
    if (position < layer.seen_from) {
      layer.window.restart(position);
      layer.seen_from = position;
    }
    layer.window.truncate(position);
    if (layer.ratio == 0) continue;
    layer.entries.truncate(position / layer.ratio);
    layer.main.keys.truncate(position);
    layer.main.scores.truncate(position);
    if (layer.kind != AttentionKind::csa) continue;
    layer.index_keys.truncate(position / layer.ratio);
    layer.index.keys.truncate(position);
    layer.index.scores.truncate(position);
  }
  if (streams_.first() > position_)
    streams_.restart(position_);  // they were kept from further on only
  else if (streams_.size() > position_)
    streams_.truncate(position_);
  return {};
}

std::int64_t LiveKv::bytes() const {
  std::int64_t sum = streams_.bytes();
  for (const LayerKv& layer : layers_)
    sum += layer.window.bytes() + layer.entries.bytes() + layer.index_keys.bytes() +
           layer.main.keys.bytes() + layer.main.scores.bytes() + layer.index.keys.bytes() +
           layer.index.scores.bytes();
  return sum;
}

KvCost kv_cost(const ModelConfig& config, KvFormat format) {
  KvCost out;
  const std::int64_t entry_bytes = kv_entry_bytes(format, kv_shape(config));
  const auto row_bytes = [](std::int64_t columns) {
    return 2 * columns * static_cast<std::int64_t>(sizeof(float));
  };
  for (std::int64_t i = 0; i < config.layers; ++i) {
    out.frontier_bytes += (config.window - 1) * entry_bytes;
    const std::int64_t ratio = config.ratio(i);
    if (ratio == 0) continue;
    std::int64_t bytes = entry_bytes;
    if (config.kind(i) == AttentionKind::csa) {
      bytes += index_key_bytes(format, config.index_head_dim);
      out.frontier_bytes += 2 * ratio * row_bytes(2 * (config.head_dim + config.index_head_dim));
    } else {
      out.frontier_bytes += ratio * row_bytes(config.head_dim);
    }
    out.bytes_per_token += static_cast<double>(bytes) / static_cast<double>(ratio);
  }
  return out;
}

}  // namespace fathom::engine
