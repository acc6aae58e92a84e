// Decoding allocates nothing once its buffers have their sizes. A program of its own: it replaces
// operator new and counts the calls of all threads.
#include "engine/local/scheduler.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tiny_checkpoint.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

using namespace fathom;
using namespace fathom::engine;

namespace {

std::atomic<std::int64_t> allocations = 0;

void* counted(std::size_t size, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  // aligned_alloc takes whole multiples of the alignment.
  void* at = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (at == nullptr) std::abort();
  return at;
}

}  // namespace

// The other forms of the standard library, and of sanitizers, call these or fit together.
void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, alignof(std::max_align_t));
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete(void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { std::free(at); }

namespace {

// What grows with the context doubles, and rarely: before position 1,024, where the history and its
// index need larger buffers and the entries a second page, nothing does. The last drafts stay below
// it, too. Windows, compressors and streams slide on by several pages meanwhile.
constexpr std::size_t kPromptTokens = 720;
constexpr std::int64_t kWarmUpTokens = 40;
constexpr std::int64_t kCountedTokens = 240;
static_assert(kPromptTokens + kWarmUpTokens + kCountedTokens + DraftPolicy::kDraftMax < 1024);

struct Outcome {
  std::int64_t allocations = 0;  ///< while the request said its last kCountedTokens
  SpeculationCounts drafts;
};

/// Lets one request, alone, say kWarmUpTokens and then kCountedTokens.
Outcome decode(Forward& forward, Scheduler& scheduler) {
  LiveKv kv = forward.new_kv();
  GenerationRequest request;
  request.prompt = test::random_tokens(kPromptTokens, 1);
  request.kv = &kv;
  request.tokens_max = kWarmUpTokens + kCountedTokens;
  // Few tokens to choose from: what was said returns, and a guess is sometimes right.
  request.sampling.logit_bias = {{5, 40}, {6, 40}, {7, 40}};
  request.stop_at_eos = false;
  request.speculate = forward.drafting() == Drafting::on;
  REQUIRE(scheduler.add(std::move(request)));

  Outcome outcome;
  std::int64_t said = 0;
  const auto say = [&](std::int64_t until) {
    while (said < until)
      for (const GenerationEvent& event : scheduler.step()) {
        said += event.kind == GenerationEvent::Kind::token ? 1 : 0;
        outcome.drafts = event.drafts;
      }
  };
  say(kWarmUpTokens);
  const std::int64_t before = allocations;
  say(kWarmUpTokens + kCountedTokens);
  outcome.allocations = allocations - before;
  return outcome;
}

/// Of a model that decoded the same before: the largest step had its buffers then.
Outcome decode_again(Drafting drafting) {
  const test::TinyCheckpoint checkpoint;
  const Weights weights = checkpoint.load();
  ThreadPool pool(1);  // of several a worker may do its first work, with new buffers, at any time
  Forward forward(weights, Numerics::official, pool, drafting);
  double seconds = 0;
  // Every step takes as long as any other, so that all drafts pay.
  Scheduler scheduler(forward, weights.config, [&] { return seconds += 1; });
  static_cast<void>(decode(forward, scheduler));
  return decode(forward, scheduler);
}

}  // namespace

TEST_CASE("decoding allocates nothing after its first tokens", "[engine]") {
  CHECK(decode_again(Drafting::off).allocations == 0);
}

TEST_CASE("decoding with drafts, right and wrong, allocates nothing after its first tokens",
          "[engine]") {
  const Outcome outcome = decode_again(Drafting::on);
  CHECK(outcome.allocations == 0);
  for (const DraftCounts& drafts : {outcome.drafts.lookup, outcome.drafts.mtp}) {
    CHECK(drafts.accepted > 0);
    CHECK(drafts.accepted < drafts.drafted);
  }
}
