// LiveKv alone: rows are written as the forward pass writes them, but with values that name their
// place, so that every row can be told from every other.
#include "engine/kv/live_kv.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/tiny_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

using namespace fathom::engine;
using fathom::test::tiny_config;

namespace {

/// One sequence whose tokens are numbers.
class Sequence {
 public:
  explicit Sequence(const ModelConfig& config, KvFormat format = KvFormat::packed)
      : kv(config, format), layers_(config.layers + config.mtp_layers), main_(config.layers) {}

  /// Tokens of a text, MTP included. As the forward pass does, rows come first and advance then.
  void feed(std::int64_t count, std::uint64_t text) {
    const std::int64_t begin = kv.position();
    for (std::int64_t p = begin; p < begin + count; ++p) {
      tokens_.resize(static_cast<std::size_t>(p));
      tokens_.push_back(text + static_cast<std::uint64_t>(p));
      for (std::int64_t l = 0; l < layers_; ++l) add(kv.layer(l), l, p);
      write(kv.streams(), name(p, layers_, 9));
    }
    kv.advance(count);
    if (layers_ > main_) kv.advance_mtp(count);
  }

  LiveKv kv;

 private:
  /// Of a row: the token at `position`, its layer and its list.
  [[nodiscard]] std::uint64_t name(std::int64_t position, std::int64_t layer,
                                   std::uint64_t list) const {
    return tokens_[static_cast<std::size_t>(position)] * 1000 +
           static_cast<std::uint64_t>(layer) * 10 + list;
  }
  static void write(PagedRows& rows, std::uint64_t value) {
    std::byte* row = rows.append();
    for (std::int64_t i = 0; i + 8 <= rows.row_bytes(); i += 8) std::memcpy(row + i, &value, 8);
  }
  void add(LayerKv& layer, std::int64_t index, std::int64_t p) const {
    write(layer.window, name(p, index, 0));
    if (layer.ratio == 0) return;
    const bool closes = (p + 1) % layer.ratio == 0;
    write(layer.main.keys, name(p, index, 1));
    write(layer.main.scores, name(p, index, 2));
    if (closes) write(layer.entries, name(p, index, 3));
    if (layer.kind != AttentionKind::csa) return;
    write(layer.index.keys, name(p, index, 4));
    write(layer.index.scores, name(p, index, 5));
    if (closes) write(layer.index_keys, name(p, index, 6));
  }

  std::vector<std::uint64_t> tokens_;
  std::int64_t layers_;
  std::int64_t main_;
};

bool same_row(const PagedRows& a, const PagedRows& b, std::int64_t index) {
  const auto used = static_cast<std::size_t>(a.row_bytes() / 8 * 8);
  return std::memcmp(a.row(index), b.row(index), used) == 0;
}

/// What differs in the rows from `from` on; empty when nothing does.
std::string difference(const PagedRows& a, const PagedRows& b, std::int64_t from) {
  if (a.size() != b.size())
    return std::to_string(a.size()) + " rows, not " + std::to_string(b.size());
  if (a.first() > from) return "row " + std::to_string(from) + " is gone";
  for (std::int64_t i = from; i < a.size(); ++i)
    if (!same_row(a, b, i)) return "row " + std::to_string(i) + " differs";
  return "";
}

/// Every row that going on from here, or rolling back `reach` tokens and going on, would read.
std::string difference(Sequence& a, Sequence& b, const ModelConfig& config, std::int64_t reach) {
  const std::int64_t earliest = std::max<std::int64_t>(a.kv.position() - reach, 0);
  const auto window = std::max<std::int64_t>(earliest - config.window + 1, 0);
  std::string out = difference(a.kv.streams(), b.kv.streams(), earliest);
  for (std::int64_t l = 0; l < config.layers + config.mtp_layers; ++l) {
    const LayerKv& x = a.kv.layer(l);
    const LayerKv& y = b.kv.layer(l);
    out += difference(x.window, y.window, window);
    if (x.ratio == 0) continue;
    const std::int64_t blocks = earliest / x.ratio - (x.kind == AttentionKind::csa ? 1 : 0);
    const std::int64_t row = std::max<std::int64_t>(blocks, 0) * x.ratio;
    out += difference(x.entries, y.entries, 0) + difference(x.main.keys, y.main.keys, row) +
           difference(x.main.scores, y.main.scores, row);
    if (x.kind != AttentionKind::csa) continue;
    out += difference(x.index_keys, y.index_keys, 0) + difference(x.index.keys, y.index.keys, row) +
           difference(x.index.scores, y.index.scores, row);
  }
  return out;
}

ModelConfig real_config(bool pro) {
  ModelConfig c;
  c.hidden_size = pro ? 7168 : 4096;
  c.layers = pro ? 61 : 43;
  c.head_dim = 512;
  c.rope_dim = 64;
  c.window = 128;
  c.index_heads = 64;
  c.index_head_dim = 128;
  c.hc_mult = 4;
  c.compress_ratios = pro ? std::vector<std::int64_t>{128, 128} : std::vector<std::int64_t>{0, 0};
  while (static_cast<std::int64_t>(c.compress_ratios.size()) < c.layers)
    c.compress_ratios.push_back(c.compress_ratios.size() % 2 == 0 ? 4 : 128);
  return c;
}

constexpr std::uint64_t kText = 1'000'000;
constexpr std::uint64_t kOther = 2'000'000;

}  // namespace

TEST_CASE("after a rollback the stored rows are those of a sequence that never went on",
          "[engine]") {
  const ModelConfig config = tiny_config();
  for (std::int64_t back = 1; back <= 300; ++back) {
    INFO("rolled back " << back);
    const std::int64_t kept = 70 + back % 37;  // every place within a block of each ratio
    Sequence went_on(config);
    went_on.feed(kept, kText);
    went_on.feed(back, kOther);
    REQUIRE(went_on.kv.rollback(back));
    Sequence stayed(config);
    stayed.feed(kept, kText);
    CHECK(went_on.kv.position() == kept);
    CHECK(went_on.kv.mtp_position() == kept);
    REQUIRE(difference(went_on, stayed, config, 0).empty());
    went_on.feed(40, kText);
    stayed.feed(40, kText);
    REQUIRE(difference(went_on, stayed, config, 0).empty());
  }
}

TEST_CASE("rolling back to where rows were forgotten is refused, up to there all are there",
          "[engine]") {
  const ModelConfig config = tiny_config();
  constexpr std::int64_t kMost = LiveKv::kRollbackTokensMax;
  Sequence sequence(config);
  CHECK(sequence.kv.rollback_max() == 0);
  sequence.feed(3, kText);
  CHECK(sequence.kv.rollback(4).error().message == "roll back 4 tokens: 3 are kept");
  CHECK(sequence.kv.rollback(-1).error().message == "roll back -1 tokens: 3 are kept");
  CHECK(sequence.kv.position() == 3);
  sequence.feed(1000, kText);
  CHECK(sequence.kv.rollback_max() == kMost);
  CHECK(sequence.kv.rollback(kMost + 1).error().code == fathom::ErrorCode::too_large);
  Sequence same(config);
  same.feed(1003, kText);
  CHECK(difference(sequence, same, config, kMost).empty());

  REQUIRE(sequence.kv.rollback(kMost));
  CHECK(sequence.kv.rollback_max() == 0);
  CHECK(sequence.kv.rollback(0));
  sequence.feed(10, kText);  // what was forgotten does not come back
  CHECK(sequence.kv.rollback_max() == 10);
  Sequence straight(config);
  straight.feed(1003 - kMost + 10, kText);
  CHECK(difference(sequence, straight, config, 10).empty());
}

TEST_CASE("a fork and its original write apart, page by page", "[engine]") {
  const ModelConfig config = tiny_config();
  for (const std::int64_t past : {1, 4, 15, 16, 31, 32, 63, 64, 65, 100, 500, 1030})
    for (const bool original_first : {true, false}) {
      INFO("forked at " << past << (original_first ? ", original first" : ", fork first"));
      Sequence original(config);
      original.feed(past, kText);
      Sequence fork = original;
      Sequence& first = original_first ? original : fork;
      Sequence& second = original_first ? fork : original;
      const std::int64_t back = std::min<std::int64_t>(past, 5);
      REQUIRE(first.kv.rollback(back));  // so that a page both have is written again
      first.feed(90, kOther);
      Sequence straight(config);
      straight.feed(past, kText);
      CHECK(difference(second, straight, config, 0).empty());
      second.feed(70, kText);
      straight.feed(70, kText);
      CHECK(difference(second, straight, config, 0).empty());
      Sequence other(config);
      other.feed(past - back, kText);
      other.feed(90, kOther);
      CHECK(difference(first, other, config, 0).empty());
    }
}

TEST_CASE("a fork costs lists of pages until it writes", "[engine]") {
  Sequence sequence(tiny_config());
  CHECK(sequence.kv.bytes() == 0);
  sequence.feed(1000, kText);
  const LiveKv fork = sequence.kv.fork();
  CHECK(fork.position() == 1000);
  CHECK(fork.bytes() == sequence.kv.bytes());
  LiveKv again = sequence.kv.fork();
  CHECK(again.layer(1).entries.row(7) == sequence.kv.layer(1).entries.row(7));
}

TEST_CASE("what a long sequence holds is its entries and a frontier that stays", "[engine]") {
  const ModelConfig config = tiny_config();
  Sequence sequence(config);
  sequence.feed(2048, kText);
  const auto frontier = [&] {
    std::int64_t entries = 0;
    for (std::int64_t l = 0; l < config.layers; ++l)
      entries += sequence.kv.layer(l).entries.bytes() + sequence.kv.layer(l).index_keys.bytes();
    return sequence.kv.bytes() - entries;
  };
  const std::int64_t before = frontier();
  const std::int64_t bytes = sequence.kv.bytes();
  for (int i = 0; i < 4; ++i) sequence.feed(1024, kText);
  CHECK(frontier() == before);
  // 4096 tokens are whole pages of every ratio here.
  const double per_token = kv_cost(config, KvFormat::packed).bytes_per_token;
  CHECK(static_cast<double>(sequence.kv.bytes() - bytes) == 4096 * per_token);
}

TEST_CASE("the cost of a token is that of the release's table", "[engine]") {
  // v4-spec §3.2. Plain floats are twice its bf16 column; packed entries its last but one.
  CHECK(kv_cost(real_config(false), KvFormat::f32).bytes_per_token == 2 * 6880);
  CHECK(kv_cost(real_config(true), KvFormat::f32).bytes_per_token == 2 * 9848);
  CHECK(std::round(kv_cost(real_config(false), KvFormat::packed).bytes_per_token) == 3514);
  CHECK(std::round(kv_cost(real_config(true), KvFormat::packed).bytes_per_token) == 5031);
  constexpr double kTokens = 1 << 20;
  const auto gib = [&](bool pro) {
    return kv_cost(real_config(pro), KvFormat::packed).bytes_per_token * kTokens / (1 << 30);
  };
  CHECK(std::abs(gib(false) - 3.43) < 0.005);
  CHECK(std::abs(gib(true) - 4.91) < 0.005);
  // The window's latents, and compressor rows of 80 KiB in a CSA layer, 512 KiB in an HCA layer.
  CHECK(kv_cost(real_config(false), KvFormat::packed).frontier_bytes ==
        43 * 127 * 584 + (21 * 80 + 20 * 512) * 1024);
  CHECK(kv_cost(real_config(true), KvFormat::packed).frontier_bytes ==
        61 * 127 * 584 + (30 * 80 + 31 * 512) * 1024);
}
