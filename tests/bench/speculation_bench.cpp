// What drafting gains, in one run with what it is compared to: `./dev bench engine`, or
// `speculation_bench DIR` with a checkpoint whose vocabulary has room for 4,096 merges.
//   rewrite  a source file stands in the context and is written again with one name changed
//   prose    a document that repeats little
// Random weights write neither, so both answers are recordings: each step runs the model over the
// last token and its drafts as the scheduler does, samples at every row, and takes the recorded
// token for the sampled one. Same forward passes, lookups, policy and costs as in use; only whose
// tokens they are differs. "off" runs the same without drafts.
//   noise    the scheduler's own answers, with MTP drafts that random weights never meet: what
//            looking costs at worst
#include "engine/local/scheduler.hpp"
#include "engine/text/tokenizer.hpp"
#include "runtime/base/file.hpp"
#include "tests/support/bpe_trainer.hpp"
#include "tests/support/source_text.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace fathom;
using namespace fathom::engine;

namespace {

constexpr std::size_t kMerges = 4096;
constexpr std::size_t kTrainingBytes = 600'000;
constexpr std::size_t kAnswerTokens = 320;
constexpr std::size_t kContextTokens = 1200;
constexpr int kRounds = 3;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class T>
T must(Result<T> result) {
  if (result) return *std::move(result);
  std::fprintf(stderr, "speculation_bench: %s\n", result.error().message.c_str());
  std::exit(65);
}

std::string with_name_changed(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::vector<TokenId> first(std::vector<TokenId> tokens, std::size_t count) {
  tokens.resize(std::min(count, tokens.size()));
  return tokens;
}

struct Recording {
  std::vector<TokenId> context;
  std::vector<TokenId> answer;
};

struct Replayed {
  double seconds = 0;
  DraftCounts drafts;
};

/// Scheduler's step for one sequence, with a recorded answer.
class Replay {
 public:
  Replay(Forward& forward, const ModelConfig& config, const Recording& recording)
      : forward_(forward),
        recording_(recording),
        vocabulary_(static_cast<std::size_t>(config.vocab_size)),
        sampler_(must(Sampler::create({}, static_cast<std::int32_t>(config.vocab_size)))),
        kv_(forward.new_kv()) {
    std::span<const TokenId> rest = recording.context;
    while (!rest.empty()) {
      const auto piece = rest.first(std::min<std::size_t>(rest.size(), 512));
      run(piece, LogitRows::none);
      rest = rest.subspan(piece.size());
    }
  }

  Replayed answer(bool speculate, StepCosts& costs) {
    LiveKv untouched = kv_.fork();
    Speculation speculation;
    speculation.history().append(recording_.context);
    speculation.history().append(recording_.answer.front());
    const double start = now();
    for (std::size_t said = 1; said < recording_.answer.size();)
      said += step(speculation, said, speculate, costs);
    const Replayed out{now() - start, speculation.counts().lookup};
    kv_ = std::move(untouched);
    return out;
  }

 private:
  std::span<const float> run(std::span<const TokenId> tokens, LogitRows rows) {
    const Feed feed{&kv_, tokens, rows};
    return must(forward_.run(std::span(&feed, 1)));
  }

  std::size_t step(Speculation& speculation, std::size_t said, bool speculate, StepCosts& costs) {
    const std::size_t room = speculate ? recording_.answer.size() - said - 1 : 0;
    std::vector<TokenId> feed(1, speculation.history().tokens().back());
    const auto drafts = speculation.draft({.room = room}, costs);
    feed.insert(feed.end(), drafts.begin(), drafts.end());
    const double start = now();
    const auto logits = run(feed, LogitRows::all);
    costs.record(feed.size(), now() - start);
    std::size_t taken = 0;
    for (bool right = true;
         right && taken < feed.size() && said + taken < recording_.answer.size();) {
      static_cast<void>(sampler_.sample({.logits = logits.subspan(taken * vocabulary_, vocabulary_),
                                         .history = speculation.history().tokens(),
                                         .position = said + taken}));
      const TokenId token = recording_.answer[said + taken];
      speculation.history().append(token);
      ++taken;
      right = taken < feed.size() && feed[taken] == token;
    }
    if (feed.size() > 1) {
      if (!kv_.rollback(static_cast<std::int64_t>(feed.size() - taken))) std::abort();
      speculation.verified(feed.size() - 1, taken - 1);
    }
    return taken;
  }

  Forward& forward_;
  const Recording& recording_;
  std::size_t vocabulary_;
  Sampler sampler_;
  LiveKv kv_;
};

void measure(const char* name, const Recording& recording, Forward& forward,
             const ModelConfig& config, double goal) {
  Replay replay(forward, config, recording);
  StepCosts costs;
  double best_on = 0;
  double best_off = 0;
  DraftCounts drafts;
  for (int round = 0; round < kRounds; ++round) {
    const Replayed off = replay.answer(false, costs);
    const Replayed on = replay.answer(true, costs);
    best_off = std::max(best_off, 1 / off.seconds);
    best_on = std::max(best_on, 1 / on.seconds);
    drafts = on.drafts;
  }
  const auto tokens = static_cast<double>(recording.answer.size() - 1);
  std::printf(
      "%-8s %6.1f tokens/s   without drafts %6.1f   %.2f times   goal %.2f   %llu of %llu "
      "drafts accepted\n",
      name, tokens * best_on, tokens * best_off, best_on / best_off, goal,
      static_cast<unsigned long long>(drafts.accepted),
      static_cast<unsigned long long>(drafts.drafted));
}

double answer_seconds(Forward& forward, const ModelConfig& config, const Recording& recording,
                      bool speculate, SpeculationCounts& counts) {
  Scheduler scheduler(forward, config, now);
  LiveKv kv = forward.new_kv();
  GenerationRequest request;
  request.prompt = first(recording.context, 200);
  request.kv = &kv;
  request.tokens_max = static_cast<std::int64_t>(kAnswerTokens);
  request.stop_at_eos = false;
  request.speculate = speculate;
  must(scheduler.add(std::move(request)));
  double begin = 0;
  while (!scheduler.idle())
    for (const GenerationEvent& event : scheduler.step()) {
      if (event.kind == GenerationEvent::Kind::token && begin == 0) begin = now();
      if (event.kind == GenerationEvent::Kind::finished) counts = event.drafts;
    }
  return now() - begin;
}

void measure_noise(const Recording& recording, const Weights& weights, ThreadPool& pool) {
  Forward forward(weights, Numerics::official, pool, weights.mtp ? Drafting::on : Drafting::off);
  double best_on = 0;
  double best_off = 0;
  SpeculationCounts counts;
  SpeculationCounts none;
  for (int round = 0; round < kRounds; ++round) {
    best_off =
        std::max(best_off, 1 / answer_seconds(forward, weights.config, recording, false, none));
    best_on =
        std::max(best_on, 1 / answer_seconds(forward, weights.config, recording, true, counts));
  }
  const auto tokens = static_cast<double>(kAnswerTokens);
  std::printf(
      "%-8s %6.1f tokens/s   without drafts %6.1f   %.2f times   goal %.2f   %llu of %llu "
      "drafts accepted\n",
      "noise", tokens * best_on, tokens * best_off, best_on / best_off, 0.98,
      static_cast<unsigned long long>(counts.all().accepted),
      static_cast<unsigned long long>(counts.all().drafted));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "speculation_bench: give the folder of a checkpoint\n");
    return 64;
  }
  const Weights weights = must(Weights::load(argv[1]));
  const auto tokenizer =
      must(Tokenizer::create(test::train_tokenizer(test::source_text(kTrainingBytes), kMerges)));
  if (std::cmp_less(weights.config.vocab_size, tokenizer.vocab_size())) {
    std::fprintf(stderr, "speculation_bench: the model's vocabulary is too small\n");
    return 65;
  }
  const std::string file = must(read_file("engine/local/scheduler.cpp", 1 << 20));
  const std::string document = must(read_file("ARCHITECTURE.md", 1 << 20));
  const Recording rewrite{
      first(tokenizer.encode(file), kContextTokens),
      first(tokenizer.encode(with_name_changed(file, "running", "active")), kAnswerTokens)};
  const auto prose = tokenizer.encode(document);
  const Recording plain{
      first(prose, kContextTokens),
      {prose.begin() + kContextTokens, prose.begin() + kContextTokens + kAnswerTokens}};
  ThreadPool pool;
  {
    Forward forward(weights, Numerics::official, pool);
    measure("rewrite", rewrite, forward, weights.config, 1.5);
    measure("prose", plain, forward, weights.config, 0.98);
  }
  measure_noise(plain, weights, pool);
  return 0;
}
