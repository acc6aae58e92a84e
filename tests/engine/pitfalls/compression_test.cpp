// Pitfalls 14 to 17 and 37: how tokens become entries, however they arrive.
#include "engine/local/forward.hpp"
#include "engine/local/pooling.hpp"
#include "tests/engine/pitfalls/attention_rig.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/feed.hpp"
#include "tests/support/golden_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

using namespace fathom;
using namespace fathom::engine;
using namespace fathom::test;

namespace {

/// Rows of a compressor with overlap and one channel: (key, score) for the next block, then for its
/// own.
class RowsOfOneChannel {
 public:
  struct Row {
    float next_key, next_score, own_key, own_score;
  };
  explicit RowsOfOneChannel(std::initializer_list<Row> rows) {
    for (const Row& row : rows) {
      const float keys[] = {row.next_key, row.own_key};
      const float scores[] = {row.next_score, row.own_score};
      std::memcpy(rows_.keys.append(), keys, sizeof keys);
      std::memcpy(rows_.scores.append(), scores, sizeof scores);
    }
  }
  [[nodiscard]] float pooled(std::int64_t block) const {
    Compressor compressor;
    compressor.ratio = kCsaRatio;
    compressor.dim = 1;
    float out = -1;
    pool_block(compressor, rows_, block, std::span(&out, 1));
    return out;
  }

 private:
  CompressorRows rows_{PagedRows(2 * sizeof(float), 4), PagedRows(2 * sizeof(float), 4)};
};

/// One of our own models with its recorded input.
class OwnModel {
 public:
  explicit OwnModel(const Golden& golden, Numerics numerics)
      : weights_(load(golden)), pool_(1), forward_(weights_, numerics, pool_) {}

  [[nodiscard]] LiveKv new_kv() const { return forward_.new_kv(); }
  std::vector<float> feed(LiveKv& kv, std::span<const TokenId> tokens) {
    return test::feed_all(forward_, kv, tokens);
  }
  [[nodiscard]] std::size_t vocab() const {
    return static_cast<std::size_t>(weights_.config.vocab_size);
  }

 private:
  static Weights load(const Golden& golden) {
    auto weights = Weights::load(golden.dir / "quant");
    if (!weights) FAIL(weights.error().message);
    return std::move(*weights);
  }

  Weights weights_;
  ThreadPool pool_;
  Forward forward_;
};

/// Feeds chunks whose last `wrong` tokens are other ones and takes those back, to the end.
std::vector<float> speculate(OwnModel& model, std::span<const TokenId> text, std::size_t chunk,
                             std::size_t wrong) {
  LiveKv kv = model.new_kv();
  std::vector<float> out;
  for (std::size_t at = 0; at < text.size();) {
    std::vector<TokenId> tokens;
    for (std::size_t i = 0; i < chunk && at + i < text.size(); ++i) tokens.push_back(text[at + i]);
    const std::size_t good = tokens.size() > wrong ? tokens.size() - wrong : tokens.size();
    for (std::size_t i = good; i < tokens.size(); ++i) tokens[i] = (tokens[i] + 1) % 250;
    auto logits = model.feed(kv, tokens);
    REQUIRE(kv.rollback(static_cast<std::int64_t>(tokens.size() - good)));
    logits.resize(good * model.vocab());
    out.insert(out.end(), logits.begin(), logits.end());
    at += good;
  }
  return out;
}

}  // namespace

TEST_CASE("pitfall 14: a block pools the first half of the one before and the second of its own",
          "[engine]") {
  const RowsOfOneChannel one({{100, 0, 1, 0},
                              {101, 0, 2, 0},
                              {102, 0, 3, 0},
                              {103, 0, 4, 0},
                              {900, 0, 11, 0},
                              {900, 0, 12, 0},
                              {900, 0, 13, 0},
                              {900, 0, 14, 0}});
  CHECK(std::abs(one.pooled(1) - (406.0F + 50) / 8) < 1e-4F);
  // Another sequence's first block sees nothing of what was pooled before it.
  const RowsOfOneChannel other({{700, 0, 5, 0}, {700, 0, 6, 0}, {700, 0, 7, 0}, {700, 0, 8, 0}});
  CHECK(other.pooled(0) == 6.5F);
  CHECK(one.pooled(0) == 2.5F);
}

TEST_CASE("pitfall 15: ape is added to stored rows by absolute position modulo the ratio",
          "[engine]") {
  for (const std::int64_t ratio : {4, 8})
    for (const std::int64_t chunk : {1, 3, 5, 7}) {
      INFO("ratio " << ratio << ", chunks of " << chunk);
      AttentionRig rig(ratio);
      for (std::size_t i = 0; i < rig.main_ape.size(); ++i)
        rig.main_ape[i] = static_cast<float>(i + 1);
      for (std::size_t i = 0; i < rig.index_ape.size(); ++i)
        rig.index_ape[i] = -static_cast<float>(i + 1);
      LiveKv kv = rig.new_kv();
      rig.run(kv, std::vector<Values>(23, noise(kRigDim, 30)), chunk);
      const auto check = [&](const PagedRows& scores, const std::vector<float>& ape) {
        const std::size_t columns = ape.size() / static_cast<std::size_t>(ratio);
        REQUIRE(scores.size() == 23);
        for (std::int64_t p = 0; p < 23; ++p)  // the gates are zero: what is stored is ape
          CHECK(std::ranges::equal(
              floats(scores, p),
              std::span(ape).subspan(static_cast<std::size_t>(p % ratio) * columns, columns)));
      };
      check(kv.layer(0).main.scores, rig.main_ape);
      if (ratio == kCsaRatio) check(kv.layer(0).index.scores, rig.index_ape);
    }
}

TEST_CASE("pitfall 16: drafts that are taken back leave no trace in the compressors", "[engine]") {
  for_each_own_set([](const Golden& golden) {
    OwnModel model(golden, Numerics::official);
    const std::vector<TokenId> text(golden.ids.begin(), golden.ids.end());
    LiveKv kv = model.new_kv();
    const auto straight = model.feed(kv, text);
    for (std::size_t chunk = 2; chunk <= 5; ++chunk)
      for (std::size_t wrong = 1; wrong < chunk; ++wrong) {
        INFO("chunks of " << chunk << ", " << wrong << " taken back");
        CHECK(speculate(model, text, chunk, wrong) == straight);
      }
  });
}

TEST_CASE("pitfall 17: a prompt that ends where its first block closes is like any other",
          "[engine]") {
  for_each_own_set([](const Golden& golden) {
    const ExpectedTensors expected = read_expected(golden.dir / "expected_f32.safetensors");
    OwnModel model(golden, Numerics::exact);
    const std::vector<TokenId> text(golden.ids.begin(), golden.ids.end());
    for (const std::size_t size : {1U, 3U, 4U, 5U, 7U, 8U, 9U, 15U, 16U, 17U}) {
      INFO("a prompt of " << size);
      LiveKv kv = model.new_kv();
      const auto logits = model.feed(kv, std::span(text).first(size));
      CHECK(largest_difference(std::span(logits).last(model.vocab()),
                               expected.at("logits").row(static_cast<std::int64_t>(size) - 1)) <=
            kLogitBound);
    }
  });
}

TEST_CASE("pitfall 37: the first block leaves the previous half out and is never NaN", "[engine]") {
  // Weights of 1/4, 1/4, 1/2 and nothing; what stands in the next block's half does not count.
  const float none = -std::numeric_limits<float>::infinity();
  const RowsOfOneChannel rows(
      {{7, 50, 4, 0}, {7, 50, 8, 0}, {7, 50, 2, std::numbers::ln2_v<float>}, {7, 50, 9, none}});
  CHECK(std::abs(rows.pooled(0) - 4) < 1e-5F);
  const float low = std::numeric_limits<float>::lowest();
  const RowsOfOneChannel lowest({{7, 0, 1, low}, {7, 0, 2, low}, {7, 0, 3, low}, {7, 0, 4, low}});
  CHECK(lowest.pooled(0) == 2.5F);
  for (const std::int64_t ratio : {4, 8}) {
    const AttentionRig rig(ratio);
    LiveKv kv = rig.new_kv();
    rig.run(kv, std::vector<Values>(8, noise(kRigDim, 31)));
    CHECK(std::ranges::all_of(floats(kv.layer(0).entries, 0),
                              [](float value) { return std::isfinite(value); }));
  }
}
