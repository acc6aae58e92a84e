// How fast a checkpoint runs on this machine, as shares of what the machine can do, both measured
// in one run: `fathom bench engine`.
//
// The limit of decoding is reading the weights that a token passes through (and what it reads of
// the context), of a prompt the multiply-adds of the same weights. Yardsticks are taken before and
// after; where they changed by more than kDriftMax something else was running, and the figures mean
// nothing.
#pragma once

#include "engine/local/forward.hpp"

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace fathom::engine {

struct EngineBenchOptions {
  std::int64_t prompt_tokens = 512;
  std::int64_t decode_tokens = 32;
  std::vector<std::int64_t> contexts;  ///< tokens that lie before the decoded ones, made up
  int rounds = 3;                      ///< the best counts
};

/// What a token passes through, MTP and the embedding left out.
struct TokenWork {
  double bytes = 0;
  double flops = 0;
};
TokenWork token_work(const Weights& weights);

struct Yardsticks {
  double read = 0;   ///< bytes a second of the mapped weights
  double copy = 0;   ///< bytes copied a second, by memcpy of one thread
  double flops = 0;  ///< of f32 multiply-adds a second
};

struct BatchSpeed {
  std::int64_t tokens = 0;  ///< of one sequence, verified together
  double seconds = 0;
};

struct ContextSpeed {
  std::int64_t context = 0;
  double seconds = 0;        ///< a token
  double context_bytes = 0;  ///< that a token reads of keys and entries
  double context_flops = 0;  ///< of scoring all keys and attending to entries
  std::int64_t kv_bytes = 0;
};

struct EngineSpeed {
  unsigned threads = 0;
  Yardsticks yardsticks;
  bool drifted = false;
  double prefill = 0;  ///< tokens a second
  double decode = 0;   ///< tokens a second, behind the prompt
  std::vector<BatchSpeed> batches;
  std::vector<ContextSpeed> contexts;
};

constexpr double kDriftMax = 0.15;

/// Minutes of work; `step` is told what comes next.
Result<EngineSpeed> bench_engine(const Weights& weights, ThreadPool& pool,
                                 const EngineBenchOptions& options,
                                 const std::function<void(std::string_view)>& step);

/// A sequence of `tokens` whose entries, keys and frontier repeat those of `seen`, which must have
/// seen 1,024 tokens or more: what decoding reads of a long context, without reading one first.
LiveKv synthetic_context(const ModelConfig& config, LiveKv& seen, std::int64_t tokens);

}  // namespace fathom::engine
