// The fast forward pass against golden vectors of the official mathematics, for every recorded
// chunk schedule.
#include "engine/local/forward.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden_check.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

using namespace fathom;
using namespace fathom::engine;
using namespace fathom::test;

namespace {

/// Mean difference of logits of spread one when KV is packed: some choice of experts or entries
/// differs.
constexpr double kPackedMeanBound = 0.15;
/// The same of one layer from recorded inputs: the worst of 486 vectors was off by 0.066.
constexpr float kPackedLocalBound = 0.1F;

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

/// Our own sets were chosen so that no value lies on an edge of the grid. The last dims of KV are
/// stored as bf16 here, where the vectors have f32: what that may cost was measured with margin.
void check_official(const Golden& golden) {
  const ExpectedTensors expected = read_expected(golden.dir / "expected_q.safetensors");
  const Result<Weights> weights = Weights::load(golden.dir / "quant");
  if (!weights) FAIL(weights.error().message);
  ThreadPool pool(1);
  Forward forward(*weights, Numerics::official, pool);
  const std::vector<TokenId> tokens = tokens_of(golden.ids);
  for (const KvFormat format : {KvFormat::f32, KvFormat::packed}) {
    LiveKv kv(weights->config, format);
    const Feed feed{&kv, tokens, LogitRows::all};
    const auto logits = forward.run(std::span(&feed, 1));
    REQUIRE(logits);
    const auto& wanted = expected.at("logits").values;
    double sum = 0;
    float worst = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const float difference = std::abs(wanted[i] - (*logits)[i]);
      worst = std::max(worst, difference);
      sum += static_cast<double>(difference);
    }
    INFO("mean difference " << sum / static_cast<double>(wanted.size()) << ", worst " << worst);
    if (format == KvFormat::f32)
      CHECK(worst <= kLogitBound);
    else
      CHECK(sum / static_cast<double>(wanted.size()) <= kPackedMeanBound);
  }
}

/// Layer by layer from the recorded inputs: the gate of official numerics.
void check_official_locally(const Golden& golden, KvFormat format) {
  const ExpectedTensors expected = read_expected(golden.dir / "expected_q.safetensors");
  const Result<Weights> weights = Weights::load(golden.dir / "quant");
  if (!weights) FAIL(weights.error().message);
  ThreadPool pool(1);
  ProductRunner products(pool);
  AttentionBlock attention(weights->config, Numerics::official, products);
  MoeBlock moe(weights->config, Numerics::official, products);
  LayerLocalCheck check(expected, format == KvFormat::f32 ? kLocalBound : kPackedLocalBound);
  const ModelConfig& config = weights->config;
  for (std::int64_t l = 0; l < config.layers + config.mtp_layers; ++l) {
    const Layer& layer =
        l < config.layers ? weights->layers[static_cast<std::size_t>(l)] : weights->mtp->layer;
    const std::int64_t n = check.positions(l);
    LiveKv kv(config, format);
    std::vector<BatchToken> tokens;
    std::vector<float> attention_in;
    std::vector<float> moe_in;
    for (std::int64_t p = 0; p < n; ++p) {
      const std::int64_t ahead =
          l < config.layers ? 0 : 1;  // MTP routes by the token behind its position
      tokens.push_back(
          {&kv, p, static_cast<TokenId>(golden.ids[static_cast<std::size_t>(p + ahead)])});
      std::ranges::copy(check.input("attn_in", l, p), std::back_inserter(attention_in));
      std::ranges::copy(check.input("ffn_in", l, p), std::back_inserter(moe_in));
    }
    std::vector<float> out(attention_in.size());
    const Rows output{out.data(), n, config.hidden_size};
    attention.begin(tokens);
    attention.run(layer, l, tokens, {attention_in.data(), n, config.hidden_size}, output);
    for (std::int64_t p = 0; p < n; ++p)
      check.compare("attn_out", l, p,
                    std::span(output.row(p), static_cast<std::size_t>(output.width)));
    moe.run(layer.moe, tokens, {moe_in.data(), n, config.hidden_size}, output);
    for (std::int64_t p = 0; p < n; ++p)
      check.compare("ffn_out", l, p,
                    std::span(output.row(p), static_cast<std::size_t>(output.width)));
  }
  CHECK(check.report() == "");
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

TEST_CASE("the fast path equals our own vectors in both numerics", "[engine][golden]") {
  for_each_own_set(check_exact);
  for_each_own_set(check_official);
  for_each_own_set(check_greedy);
}

TEST_CASE("the fast path rounds as the official model does, layer by layer", "[engine][golden]") {
  for (const KvFormat format : {KvFormat::f32, KvFormat::packed})
    with_outside_set("p3-short",
                     [&](const Golden& golden) { check_official_locally(golden, format); });
}

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
