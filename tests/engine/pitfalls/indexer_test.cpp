// Pitfalls 18 to 22: which compressed entries a query sees.
#include "tests/engine/cpu/canonical.hpp"
#include "tests/engine/pitfalls/attention_rig.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <set>

using namespace fathom::engine;
using namespace fathom::test;

namespace {

constexpr std::int64_t kMarksMax = 32;
constexpr std::int64_t kOne = kRigDim - 1;  // this dim of every input is 1, for the heads' weights

/// A rig whose output names the entries that a query saw. The first kRigIndexDim dims of an input
/// are what the indexer works with, the next kMarksMax may hold a mark. Windows and queries are
/// zero, entries are their block's mark, so every visible entry has the same weight.
AttentionRig marking_rig(std::int64_t index_heads) {
  AttentionRig rig(kCsaRatio, 1, index_heads);
  rig.config.window = 1;
  rig.make_attention_uniform();
  rig.wkv.clear();
  rig.main_wkv.clear();
  for (std::int64_t mark = 0; mark < kMarksMax; ++mark)
    rig.main_wkv.at(kRigDim + mark, kRigIndexDim + mark) = 1;
  rig.wq_a.clear();
  rig.wq_a.set_diagonal(kRigIndexDim);
  return rig;
}

/// Four equal tokens: a block.
void add_block(std::vector<Values>& inputs, std::span<const float> features, std::int64_t mark) {
  Values token(kRigDim);
  std::ranges::copy(features, token.begin());
  if (mark >= 0) token[static_cast<std::size_t>(kRigIndexDim + mark)] = 1;
  token[kOne] = 1;
  inputs.insert(inputs.end(), kCsaRatio, token);
}

std::set<std::int64_t> marks_seen(const Values& output) {
  std::set<std::int64_t> out;
  for (std::int64_t mark = 0; mark < kMarksMax; ++mark)
    if (output[static_cast<std::size_t>(mark)] > 0.01F) out.insert(mark);
  return out;
}

double product(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// §2.6.2 in double, and without the Hadamard matrix: on both sides it cancels.
std::set<std::int64_t> best_blocks(AttentionRig& rig, std::span<const Values> inputs,
                                   std::int64_t position) {
  const auto features = [&](std::int64_t token) {
    return std::span(inputs[static_cast<std::size_t>(token)]).first(kRigIndexDim);
  };
  Values latent(kRigDim);
  std::ranges::copy(features(position), latent.begin());
  latent = normed(latent);
  for (std::size_t i = 0; i < latent.size(); ++i) latent[i] *= rig.q_norm[i];
  std::vector<Values> queries;
  for (std::int64_t h = 0; h < rig.config.index_heads; ++h) {
    Values query;
    for (std::int64_t i = 0; i < kRigIndexDim; ++i)
      query.push_back(static_cast<float>(
          product(latent, std::span(&rig.index_wq_b.at(h * kRigIndexDim + i, 0), kRigDim))));
    queries.push_back(roped(rig.config, RopeBase::yarn, query, position));
  }
  std::vector<std::pair<double, std::int64_t>> scored;
  for (std::int64_t b = 0; b < (position + 1) / kCsaRatio; ++b) {
    const Values key =
        roped(rig.config, RopeBase::yarn, normed(features(b * kCsaRatio)), b * kCsaRatio);
    double score = 0;
    for (std::size_t h = 0; h < queries.size(); ++h)
      score += static_cast<double>(rig.weights_proj.at(static_cast<std::int64_t>(h), kOne)) *
               std::max(0.0, product(queries[h], key));
    scored.emplace_back(-score, b);
  }
  std::ranges::sort(scored);
  std::set<std::int64_t> out;
  for (std::size_t i = 0; i < scored.size() && out.size() < 5; ++i) out.insert(scored[i].second);
  return out;
}

/// Blocks of noise and random queries of heads of very different size; five entries are chosen.
struct NoisyScene {
  AttentionRig rig = marking_rig(4);
  std::vector<Values> inputs;

  explicit NoisyScene(std::uint32_t seed) {
    rig.config.index_topk = 5;
    rig.index_wq_b.values = noise(rig.index_wq_b.values.size(), seed);
    const float sizes[] = {1, 10, 0.1F, 3};
    const float weights[] = {0.7F, -0.2F, 4, 0.3F};
    for (std::int64_t h = 0; h < 4; ++h) {
      for (std::int64_t i = 0; i < kRigIndexDim * kRigDim; ++i)
        rig.index_wq_b.values[static_cast<std::size_t>(h * kRigIndexDim * kRigDim + i)] *= sizes[h];
      rig.weights_proj.at(h, kOne) = weights[h];
    }
    for (std::uint32_t b = 0; b < 16; ++b) add_block(inputs, noise(kRigIndexDim, seed + 1 + b), b);
  }

  void check() {
    const auto outputs = rig.run(inputs);
    for (std::size_t p = 0; p < inputs.size(); ++p) {
      INFO("position " << p);
      CHECK(marks_seen(outputs[p]) == best_blocks(rig, inputs, static_cast<std::int64_t>(p)));
    }
  }
};

}  // namespace

TEST_CASE("pitfall 18: an entry is visible from the last token of its block on", "[engine]") {
  for (const std::int64_t ratio : {4, 8}) {
    // Entries are zero and all weights equal: the output is the own latent over 1 + the entries.
    AttentionRig rig(ratio);
    rig.config.window = 1;
    rig.make_attention_uniform();
    rig.main_wkv.clear();
    const Values token = noise(kRigDim, 40);
    const std::vector<Values> inputs(34, token);
    for (const std::int64_t chunk : {0, 1, 7}) {  // 0: entries of later tokens are there already
      INFO("ratio " << ratio << ", chunks of " << chunk);
      LiveKv kv = rig.new_kv();
      const auto outputs = rig.run(kv, inputs, chunk);
      for (std::size_t p = 0; p < inputs.size(); ++p) {
        const float seen = normed(token)[0] / outputs[p][0] - 1;
        CHECK(std::abs(seen - static_cast<float>((p + 1) / static_cast<std::size_t>(ratio))) <
              1e-3F);
      }
    }
  }
}

TEST_CASE("pitfall 19: top-k chooses among all entries and adds nothing where there are fewer",
          "[engine]") {
  AttentionRig rig = marking_rig(1);
  rig.config.index_topk = 3;
  rig.weights_proj.at(0, kOne) = 1;
  Values liked(kRigIndexDim);
  liked[0] = 1;
  Values disliked(kRigIndexDim);
  disliked[0] = -1;
  std::vector<Values> inputs;
  constexpr std::int64_t kBlocks = 600;  // three pages of keys
  const std::set<std::int64_t> special = {3, 300, kBlocks - 1};
  std::int64_t mark = 0;
  for (std::int64_t b = 0; b < kBlocks; ++b)
    special.contains(b) ? add_block(inputs, liked, mark++) : add_block(inputs, disliked, -1);
  LiveKv kv = rig.new_kv();
  const auto outputs = rig.run(kv, inputs, 500);
  CHECK(marks_seen(outputs.back()) == std::set<std::int64_t>{0, 1, 2});
  // Each is one of four that weigh the same, the token itself among them.
  CHECK(std::abs(outputs.back()[0] - std::sqrt(static_cast<float>(kRigDim)) / 4) < kRigBound);

  inputs.clear();
  for (std::int64_t b = 0; b < 5; ++b) add_block(inputs, liked, b);
  const auto few = rig.run(inputs);
  for (const std::size_t visible : {1U, 2U, 3U, 4U, 5U}) {
    const float share = static_cast<float>(1 + std::min<std::size_t>(visible, 3));
    CHECK(std::abs(few[visible * 4 - 1][0] - std::sqrt(static_cast<float>(kRigDim)) / share) <
          kRigBound);
  }
}

TEST_CASE("pitfall 20: each head's score is cut at zero before weights of any sign add them",
          "[engine]") {
  // Three keys against two heads. Without the cut the third wins, with the cut behind the sum it
  // wins too, with weights made positive the first does.
  const float queries[] = {1, 0, 0, 1};
  const float weights[] = {-1, 0.5F};
  const float keys[] = {1, 0, 0, 1, -1, 0};
  for (const Kernels* kernels : all_kernels()) {
    std::vector<float> q(2 * kRigIndexDim);
    std::vector<float> k(3 * kRigIndexDim);
    for (std::size_t i = 0; i < 2; ++i)
      std::copy_n(queries + 2 * i, 2, q.begin() + static_cast<long>(i) * kRigIndexDim);
    for (std::size_t i = 0; i < 3; ++i)
      std::copy_n(keys + 2 * i, 2, k.begin() + static_cast<long>(i) * kRigIndexDim);
    std::vector<float> scores(3, 99.0F);
    kernels->index_scores({.queries = q.data(),
                           .weights = weights,
                           .heads = 2,
                           .dims = kRigIndexDim,
                           .format = KvFormat::f32,
                           .keys = reinterpret_cast<const std::byte*>(k.data()),
                           .count = 3,
                           .scores = scores.data()});
    CHECK(scores == std::vector<float>{-1, 0.5F, 0});
  }
  AttentionRig rig = marking_rig(2);
  rig.config.index_topk = 1;
  rig.weights_proj.at(0, kOne) = -1;
  rig.weights_proj.at(1, kOne) = 0.5F;
  rig.index_wq_b.clear();  // the last token's third feature asks for the first and the second
  rig.index_wq_b.at(0, 2) = 1;
  rig.index_wq_b.at(kRigIndexDim + 1, 2) = 1;
  std::vector<Values> inputs;
  for (std::int64_t b = 0; b < 3; ++b) {
    Values features(kRigIndexDim);
    std::copy_n(keys + 2 * b, 2, features.begin());
    add_block(inputs, features, b);
  }
  Values asking(kRigIndexDim);
  asking[2] = 1;
  add_block(inputs, asking, -1);
  inputs.resize(13);
  CHECK(marks_seen(rig.run(inputs).back()) == std::set<std::int64_t>{1});
}

TEST_CASE("pitfall 21: the indexer's query comes from the normed latent and has no norm of its own",
          "[engine]") {
  NoisyScene scene(50);
  const Values norm = noise(kRigDim, 51);
  for (std::size_t i = 0; i < norm.size(); ++i) scene.rig.q_norm[i] = 3 * norm[i];
  scene.check();
}

TEST_CASE("pitfall 22: queries and keys are both turned by Hadamard, behind rope", "[engine]") {
  NoisyScene scene(60);
  scene.check();
  LiveKv kv = scene.rig.new_kv();
  scene.rig.run(kv, scene.inputs);
  for (std::int64_t b = 0; b < 16; ++b) {
    const auto features =
        std::span(scene.inputs[static_cast<std::size_t>(4 * b)]).first(kRigIndexDim);
    const Values key = roped(scene.rig.config, RopeBase::yarn, normed(features), 4 * b);
    Values expected;
    for (unsigned i = 0; i < kRigIndexDim; ++i) {
      double sum = 0;
      for (unsigned j = 0; j < kRigIndexDim; ++j)
        sum += (std::popcount(i & j) % 2 == 0 ? 1 : -1) * static_cast<double>(key[j]);
      expected.push_back(static_cast<float>(sum / std::sqrt(32.0)));
    }
    CHECK(largest_difference(floats(kv.layer(0).index_keys, b), expected) < kRigBound);
  }
}
