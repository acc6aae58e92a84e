#include "engine/local/engine_bench.hpp"

#include "engine/model/layout.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <string>

namespace fathom::engine {
namespace {

constexpr std::int64_t kSeenTokens = 1024;
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
constexpr int kYardstickRounds = 3;

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<std::span<const std::byte>> pieces_of(const Weights& weights) {
  std::vector<std::span<const std::byte>> pieces;
  for (const auto& [name, tensor] : weights.checkpoint.tensors())
    for (std::size_t at = 0; at < tensor.bytes.size(); at += kPieceBytes)
      pieces.push_back(tensor.bytes.subspan(at, std::min(kPieceBytes, tensor.bytes.size() - at)));
  return pieces;
}

Yardsticks measure_yardsticks(const Weights& weights, ThreadPool& pool) {
  Yardsticks best;
  const auto pieces = pieces_of(weights);
  double total = 0;
  for (const auto& piece : pieces) total += static_cast<double>(piece.size());
  std::vector<std::byte> from(kPieceBytes * 16, std::byte{1});
  std::vector<std::byte> to(from.size());
  for (int round = 0; round < kYardstickRounds; ++round) {
    const auto read = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto& piece = pieces[static_cast<std::size_t>(i)];
        volatile auto sink =
            kernels().read_probe(piece.data(), static_cast<std::int64_t>(piece.size()));
        (void)sink;
      }
    };
    best.read =
        std::max(best.read, total / seconds([&] {
                              pool.parallel_for(static_cast<std::int64_t>(pieces.size()), 1, read);
                            }));
    best.copy = std::max(best.copy, static_cast<double>(to.size()) / seconds([&] {
                                      std::memcpy(to.data(), from.data(), to.size());
                                    }));
    constexpr std::int64_t kChunks = 64;
    constexpr std::int64_t kSteps = 50'000;
    const auto multiply = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        volatile auto sink = kernels().fma_probe(kSteps);
        (void)sink;
      }
    };
    best.flops = std::max(best.flops, kFmaProbeFlops * kSteps * kChunks / seconds([&] {
                                        pool.parallel_for(kChunks, 1, multiply);
                                      }));
  }
  return best;
}

bool drifted(double a, double b) { return std::abs(a - b) > kDriftMax * std::max(a, b); }

std::vector<TokenId> some_tokens(std::int64_t count, const ModelConfig& config) {
  std::vector<TokenId> out;
  out.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    out.push_back(static_cast<TokenId>((i * 7919 + 13) % config.vocab_size));
  return out;
}

/// Feeds a forward pass and times it.
class Runner {
 public:
  Runner(const Weights& weights, ThreadPool& pool, const EngineBenchOptions& options)
      : config_(weights.config),
        options_(options),
        forward_(weights, Numerics::official, pool),
        tokens_(some_tokens(std::max(kSeenTokens, options.prompt_tokens), config_)) {}

  Result<> feed(LiveKv& kv, std::int64_t count, LogitRows rows = LogitRows::last) {
    // Others each time, so that experts change as they do in use.
    if (next_ + static_cast<std::size_t>(count) > tokens_.size()) next_ = 0;
    auto rest = std::span(tokens_).subspan(next_, static_cast<std::size_t>(count));
    next_ += static_cast<std::size_t>(count);
    while (!rest.empty()) {
      const std::size_t size =
          std::min(rest.size(), static_cast<std::size_t>(Forward::kBatchTokensMax));
      const Feed next{&kv, rest.first(size), rows};
      TRY(forward_.run(std::span(&next, 1)));
      rest = rest.subspan(size);
    }
    return {};
  }

  Result<double> timed(LiveKv& kv, std::int64_t count, LogitRows rows = LogitRows::last) {
    Result<> fed;
    const double time = seconds([&] { fed = feed(kv, count, rows); });
    TRY(std::move(fed));
    return time;
  }

  /// Seconds for each of decode_tokens tokens.
  Result<double> decode(LiveKv& kv) {
    TRY(feed(kv, 1));
    double total = 0;
    for (std::int64_t i = 0; i < options_.decode_tokens; ++i) total += TRY(timed(kv, 1));
    return total / static_cast<double>(options_.decode_tokens);
  }

  Result<> prompt_and_answer(EngineSpeed& out) {
    for (int round = 0; round < options_.rounds; ++round) {
      LiveKv kv = forward_.new_kv();
      const double prompt = TRY(timed(kv, options_.prompt_tokens));
      out.prefill = std::max(out.prefill, static_cast<double>(options_.prompt_tokens) / prompt);
      out.decode = std::max(out.decode, 1 / TRY(decode(kv)));
    }
    return {};
  }

  /// Leaves behind the sequence that contexts repeat.
  Result<> batches(EngineSpeed& out) {
    for (const std::int64_t size : {1, 2, 4, 8, 16}) out.batches.push_back({size, 0});
    TRY(feed(seen_, kSeenTokens));
    for (int round = 0; round < 2 * options_.rounds; ++round)
      for (BatchSpeed& batch : out.batches) {
        LiveKv branch = seen_.fork();
        const double time = TRY(timed(branch, batch.tokens, LogitRows::all));
        batch.seconds = batch.seconds == 0 ? time : std::min(batch.seconds, time);
      }
    return {};
  }

  Result<> context(std::int64_t tokens, EngineSpeed& out) {
    LiveKv kv = synthetic_context(config_, seen_, tokens);
    ContextSpeed speed{.context = tokens};
    const KvShape shape = kv_shape(config_);
    for (std::int64_t i = 0; i < config_.layers; ++i) {
      const auto entries = config_.ratio(i) == 0 ? 0 : tokens / config_.ratio(i);
      const bool csa = config_.kind(i) == AttentionKind::csa;
      const std::int64_t attended = csa ? std::min(entries, config_.index_topk) : entries;
      speed.context_bytes +=
          static_cast<double>((attended + config_.window) * kv_entry_bytes(kv.format(), shape));
      speed.context_flops +=
          4.0 * static_cast<double>((attended + config_.window) * config_.heads * config_.head_dim);
      if (!csa) continue;
      speed.context_bytes +=
          static_cast<double>(entries * index_key_bytes(kv.format(), config_.index_head_dim));
      speed.context_flops +=
          2.0 * static_cast<double>(entries * config_.index_heads * config_.index_head_dim);
    }
    for (int round = 0; round < options_.rounds; ++round) {
      LiveKv branch = kv.fork();
      const double time = TRY(decode(branch));
      speed.seconds = speed.seconds == 0 ? time : std::min(speed.seconds, time);
      speed.kv_bytes = branch.bytes();
    }
    out.contexts.push_back(speed);
    return {};
  }

 private:
  const ModelConfig& config_;
  const EngineBenchOptions& options_;
  Forward forward_;
  std::vector<TokenId> tokens_;
  std::size_t next_ = 0;
  LiveKv seen_ = forward_.new_kv();
};

/// Rows [first, size) of `to`, repeating what `from` has kept.
void repeat_rows(const PagedRows& from, std::int64_t first, std::int64_t size, PagedRows& to) {
  to.restart(first);
  const std::int64_t kept = from.size() - from.first();
  for (std::int64_t i = first; i < size; ++i)
    std::memcpy(to.append(), from.row(from.first() + i % kept),
                static_cast<std::size_t>(from.row_bytes()));
}

}  // namespace

TokenWork token_work(const Weights& weights) {
  TokenWork out;
  const ModelConfig& c = weights.config;
  for (const PlannedTensor& planned : plan_tensors(c)) {
    if (planned.name.starts_with("mtp.") || planned.name == "embed.weight" ||
        planned.role == TensorRole::table)
      continue;
    const bool routed = planned.name.contains(".experts.");
    const double share =
        routed ? static_cast<double>(c.experts_per_token) / static_cast<double>(c.experts) : 1;
    const Tensor* scale = weights.checkpoint.find(scale_name(planned.name));
    const bool scaled = planned.role == TensorRole::linear || planned.role == TensorRole::expert;
    out.bytes += share * static_cast<double>(weights.checkpoint.find(planned.name)->bytes.size() +
                                             (scaled && scale ? scale->bytes.size() : 0));
    if (planned.role != TensorRole::values)
      out.flops += share * 2 * static_cast<double>(element_count(planned.shape));
  }
  return out;
}

LiveKv synthetic_context(const ModelConfig& config, LiveKv& seen, std::int64_t tokens) {
  ENSURE(seen.position() >= kSeenTokens, "there must be rows to repeat");
  LiveKv out(config, seen.format());
  constexpr std::int64_t kFrontier = LiveKv::kRollbackTokensMax;
  for (std::int64_t i = 0; i < config.layers; ++i) {
    LayerKv& from = seen.layer(i);
    LayerKv& to = out.layer(i);
    const std::int64_t first = std::max<std::int64_t>(0, tokens - kFrontier - config.window);
    repeat_rows(from.window, first, tokens, to.window);
    if (from.ratio == 0) continue;
    repeat_rows(from.entries, 0, tokens / from.ratio, to.entries);
    const std::int64_t open = first / from.ratio * from.ratio;
    repeat_rows(from.main.keys, open, tokens, to.main.keys);
    repeat_rows(from.main.scores, open, tokens, to.main.scores);
    if (from.kind != AttentionKind::csa) continue;
    repeat_rows(from.index_keys, 0, tokens / from.ratio, to.index_keys);
    repeat_rows(from.index.keys, open, tokens, to.index.keys);
    repeat_rows(from.index.scores, open, tokens, to.index.scores);
  }
  out.advance(tokens);
  return out;
}

Result<EngineSpeed> bench_engine(const Weights& weights, ThreadPool& pool,
                                 const EngineBenchOptions& options,
                                 const std::function<void(std::string_view)>& step) {
  EngineSpeed out;
  out.threads = pool.threads();
  step("measure what this machine can do");
  const Yardsticks before = measure_yardsticks(weights, pool);
  Runner runner(weights, pool, options);
  step("read a prompt and decode");
  TRY(runner.prompt_and_answer(out));
  step("decode several tokens at once");
  TRY(runner.batches(out));
  for (const std::int64_t context : options.contexts) {
    step("decode behind " + std::to_string(context) + " tokens");
    TRY(runner.context(context, out));
  }
  step("measure once more what this machine can do");
  out.yardsticks = measure_yardsticks(weights, pool);
  out.drifted =
      drifted(before.read, out.yardsticks.read) || drifted(before.flops, out.yardsticks.flops);
  out.yardsticks.read = std::max(before.read, out.yardsticks.read);
  out.yardsticks.copy = std::max(before.copy, out.yardsticks.copy);
  out.yardsticks.flops = std::max(before.flops, out.yardsticks.flops);
  return out;
}

}  // namespace fathom::engine
