// Measures a whole model beside what this machine can do, in one run: `./dev bench engine`, or
// `model_bench DIR`.
//   decode   tokens a second of one sequence; the limit is reading the weights that a token passes
//   through prefill  tokens a second of a 512-token prompt; the limit is the multiply-adds of the
//   same weights
// The yardsticks are measured before and after; nothing is reported when they changed by more than
// 15 %.
#include "engine/cpu/cpu_info.hpp"
#include "engine/cpu/kernels.hpp"
#include "engine/local/forward.hpp"
#include "engine/model/layout.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

using namespace fathom::engine;

namespace {

constexpr std::int64_t kPromptTokens = 512;
constexpr std::int64_t kDecodeTokens = 48;
constexpr int kRounds = 5;
constexpr double kDriftMax = 0.15;

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What one token passes through, MTP and the embedding left out.
struct Work {
  double bytes = 0;
  double flops = 0;
};

Work work_of(const Weights& weights) {
  Work out;
  const ModelConfig& c = weights.config;
  for (const PlannedTensor& planned : plan_tensors(c)) {
    if (planned.name.starts_with("mtp.") || planned.name == "embed.weight" ||
        planned.role == TensorRole::table)
      continue;
    const bool routed = planned.name.find(".experts.") != std::string::npos;
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

struct Yardsticks {
  double read = 0;   ///< bytes a second from the mapped weights
  double flops = 0;  ///< of f32 multiply-adds
};

Yardsticks measure_yardsticks(const Weights& weights, ThreadPool& pool) {
  Yardsticks best;
  const std::span<const std::byte> bytes = weights.checkpoint.tensors().begin()->second.bytes;
  // The whole mapping of the first file: far more than any cache holds.
  std::vector<std::span<const std::byte>> pieces;
  constexpr std::size_t kPiece = std::size_t{4} << 20;
  for (const auto& [name, tensor] : weights.checkpoint.tensors())
    for (std::size_t at = 0; at + kPiece <= tensor.bytes.size(); at += kPiece)
      pieces.push_back(tensor.bytes.subspan(at, kPiece));
  if (pieces.empty()) pieces.push_back(bytes);
  for (int round = 0; round < kRounds; ++round) {
    double total = 0;
    for (const auto& piece : pieces) total += static_cast<double>(piece.size());
    const auto read = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto& piece = pieces[static_cast<std::size_t>(i)];
        kernels().read_probe(piece.data(), static_cast<std::int64_t>(piece.size()));
      }
    };
    best.read =
        std::max(best.read, total / seconds([&] {
                              pool.parallel_for(static_cast<std::int64_t>(pieces.size()), 1, read);
                            }));
    constexpr std::int64_t kChunks = 64;
    constexpr std::int64_t kSteps = 50'000;
    const auto multiply = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) kernels().fma_probe(kSteps);
    };
    best.flops = std::max(best.flops, 2.0 * 16 * 24 * kSteps * kChunks / seconds([&] {
                                        pool.parallel_for(kChunks, 1, multiply);
                                      }));
  }
  return best;
}

struct Speed {
  double prefill = 0;
  double decode = 0;
};

Speed measure(const Weights& weights, ThreadPool& pool) {
  Speed best;
  Forward forward(weights, Numerics::official, pool);
  std::vector<TokenId> prompt;
  for (std::int64_t i = 0; i < kPromptTokens; ++i)
    prompt.push_back(static_cast<TokenId>((i * 7919 + 13) % weights.config.vocab_size));
  for (int round = 0; round < kRounds; ++round) {
    LiveKv kv = forward.new_kv();
    const auto feed = [&](std::span<const TokenId> tokens) {
      const Feed next{&kv, tokens, LogitRows::last};
      if (const auto logits = forward.run(std::span(&next, 1)); !logits) {
        std::fprintf(stderr, "model_bench: %s\n", logits.error().message.c_str());
        std::exit(1);
      }
    };
    best.prefill = std::max(best.prefill, kPromptTokens / seconds([&] { feed(prompt); }));
    best.decode =
        std::max(best.decode, kDecodeTokens / seconds([&] {
                                for (std::int64_t i = 0; i < kDecodeTokens; ++i)
                                  feed(std::span(prompt).subspan(static_cast<std::size_t>(i), 1));
                              }));
  }
  return best;
}

void report(const char* what, double figure, double limit, double goal) {
  std::printf("%-22s %8.1f tokens/s   limit %8.1f   share %.2f   goal %.2f\n", what, figure, limit,
              figure / limit, goal);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "model_bench: give the folder of a checkpoint\n");
    return 64;
  }
  const auto weights = Weights::load(argv[1]);
  if (!weights) {
    std::fprintf(stderr, "model_bench: %s\n", weights.error().message.c_str());
    return 65;
  }
  const Work work = work_of(*weights);
  std::printf("%s: %.2f GB and %.2f GFLOP a token, %s\n", argv[1], work.bytes / 1e9,
              work.flops / 1e9, std::string(name_of(kernels().isa)).c_str());
  ThreadPool one(1);
  ThreadPool all;
  Speed single;
  for (ThreadPool* pool : {&one, &all}) {
    if (pool == &all && all.threads() == 1) break;
    const Yardsticks before = measure_yardsticks(*weights, *pool);
    const Speed speed = measure(*weights, *pool);
    const Yardsticks after = measure_yardsticks(*weights, *pool);
    std::printf("%u threads: read %.1f GB/s, multiply-add %.0f GFLOP/s\n", pool->threads(),
                after.read / 1e9, after.flops / 1e9);
    const auto drifted = [](double a, double b) {
      return std::abs(a - b) > kDriftMax * std::max(a, b);
    };
    if (drifted(before.read, after.read) || drifted(before.flops, after.flops)) {
      std::fprintf(
          stderr,
          "model_bench: the yardsticks drifted by more than 15 %%: something else is running\n");
      return 75;
    }
    report("decode", speed.decode, after.read / work.bytes, 0.75);
    report("prefill, 512 tokens", speed.prefill, after.flops / work.flops, 0.5);
    if (pool == &one)
      single = speed;
    else
      std::printf("%u threads against one: decode %.2f, prefill %.2f\n", pool->threads(),
                  speed.decode / single.decode, speed.prefill / single.prefill);
  }
  return 0;
}
