// The fast forward pass against golden vectors of the official mathematics, for every recorded
// chunk schedule.
#include "engine/local/forward.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden_check.hpp"

using namespace fathom;
using namespace fathom::engine;
using namespace fathom::test;

namespace {

std::vector<TokenId> tokens_of(std::span<const std::int64_t> ids) {
  return {ids.begin(), ids.end()};
}

/// The whole input in chunks, main model and MTP; what follows is told every row of logits.
struct Walk {
  Forward& forward;
  LiveKv& kv;
  bool drafts;

  void feed(std::span<const TokenId> tokens, ComponentCheck& check) {
    const std::int64_t position = kv.position();
    const Feed feed{&kv, tokens, LogitRows::all};
    const auto logits = forward.run(std::span(&feed, 1));
    REQUIRE(logits);
    tell("logits", position, *logits, tokens.size(), check);
    if (!drafts) return;
    // MTP at a position wants the token behind it, which for the last one is still to come.
    std::vector<TokenId> next(tokens.begin(), tokens.end());
    if (position == 0) next.erase(next.begin());
    if (next.empty()) return;
    const std::int64_t mtp_position = kv.mtp_position();
    const Feed mtp{&kv, next, LogitRows::all};
    const auto drafts_logits = forward.run_mtp(std::span(&mtp, 1));
    REQUIRE(drafts_logits);
    tell("mtp_logits", mtp_position, *drafts_logits, next.size(), check);
  }

  static void tell(const char* tensor, std::int64_t position, std::span<const float> logits,
                   std::size_t rows, ComponentCheck& check) {
    const std::size_t vocab = logits.size() / rows;
    for (std::size_t r = 0; r < rows; ++r)
      check.compare_logits(tensor, position + static_cast<std::int64_t>(r),
                           logits.subspan(r * vocab, vocab));
  }
};

void check_exact(const Golden& golden) {
  const ExpectedTensors expected = read_expected(golden.dir / "expected_f32.safetensors");
  const std::vector<TokenId> tokens = tokens_of(golden.ids);
  ThreadPool pool(2);
  for (const auto& dir : golden.checkpoints()) {
    const Result<Weights> weights = Weights::load(dir);
    if (!weights) FAIL(weights.error().message);
    const bool drafts = weights->mtp.has_value();
    for (std::size_t s = 0; s < golden.chunk_schedules.size(); ++s) {
      INFO(dir.string() << ", schedule " << s);
      Forward forward(*weights, Numerics::exact, pool, drafts ? Drafting::on : Drafting::off);
      ComponentCheck check(expected);
      forward.observe(
          [&](std::string_view name, std::int64_t layer, std::int64_t position,
              std::span<const float> values) { check.compare({name, layer, position}, values); });
      LiveKv kv = forward.new_kv();
      Walk walk{forward, kv, drafts};
      std::size_t at = 0;
      for (const std::int64_t chunk : golden.chunk_schedules[s]) {
        walk.feed(std::span(tokens).subspan(at, static_cast<std::size_t>(chunk)), check);
        at += static_cast<std::size_t>(chunk);
      }
      CHECK(at == tokens.size());
      CHECK(check.report() == "");
      CHECK(check.compared() > tokens.size() * 2);
    }
  }
}

void check_greedy(const Golden& golden) {
  ThreadPool pool(1);
  const Result<Weights> weights = Weights::load(golden.dir / "quant");
  if (!weights) FAIL(weights.error().message);
  Forward forward(*weights, Numerics::exact, pool);
  LiveKv kv = forward.new_kv();
  std::vector<TokenId> tokens = tokens_of(golden.ids);
  tokens.resize(static_cast<std::size_t>(golden.greedy.prompt_tokens));
  std::vector<std::int64_t> generated;
  while (generated.size() < golden.greedy.tokens.size()) {
    const Feed feed{&kv, tokens, LogitRows::last};
    const auto logits = forward.run(std::span(&feed, 1));
    REQUIRE(logits);
    const auto best = std::ranges::max_element(*logits) - logits->begin();
    generated.push_back(best);
    tokens.assign(1, static_cast<TokenId>(best));
  }
  CHECK(generated == golden.greedy.tokens);
}

}  // namespace

TEST_CASE("the fast path equals the official model on p1-all", "[engine][golden]") {
  with_outside_set("p1-all", check_exact);
}

TEST_CASE("the fast path equals the official model on p2-ratio128", "[engine][golden]") {
  with_outside_set("p2-ratio128", check_exact);
}

TEST_CASE("the fast path equals the official model on p3-short", "[engine][golden]") {
  with_outside_set("p3-short", check_exact);
}

TEST_CASE("the fast path equals the official model on whatever else is there", "[engine][golden]") {
  for_each_other_outside_set(check_exact);
}

TEST_CASE("greedy tokens are the official model's", "[engine][golden]") {
  for (const char* name : {"p1-all", "p2-ratio128", "p3-short"})
    with_outside_set(name, check_greedy);
}
