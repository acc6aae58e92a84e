// What must hold of the fast forward pass for any weights: the same bits however the tokens arrive.
#include "engine/local/forward.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/feed.hpp"
#include "tests/support/tiny_checkpoint.hpp"

#include <algorithm>
#include <cmath>
#include <random>

using namespace fathom;
using namespace fathom::engine;

namespace {

/// A random model of the smallest shape and the tokens of a text for it.
class Bench {
 public:
  explicit Bench(Numerics numerics, unsigned threads = 1, Drafting drafting = Drafting::off)
      : weights_(checkpoint_.load()),
        pool_(threads),
        forward_(weights_, numerics, pool_, drafting) {}

  [[nodiscard]] Forward& forward() { return forward_; }
  [[nodiscard]] LiveKv new_kv() const { return forward_.new_kv(); }

  /// The logits of all tokens.
  std::vector<float> feed(LiveKv& kv, std::span<const TokenId> tokens) {
    return test::feed_all(forward_, kv, tokens);
  }

  std::vector<float> feed_in_chunks(LiveKv& kv, std::span<const TokenId> tokens,
                                    std::mt19937& random, std::size_t chunk_max) {
    std::vector<float> out;
    for (std::size_t at = 0; at < tokens.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % chunk_max, tokens.size() - at);
      const auto logits = feed(kv, tokens.subspan(at, size));
      out.insert(out.end(), logits.begin(), logits.end());
      at += size;
    }
    return out;
  }

  static std::vector<TokenId> text(std::size_t size, unsigned seed) {
    return test::random_tokens(size, seed);
  }
  [[nodiscard]] std::size_t vocab() const {
    return static_cast<std::size_t>(weights_.config.vocab_size);
  }

 private:
  test::TinyCheckpoint checkpoint_;
  Weights weights_;
  ThreadPool pool_;
  Forward forward_;
};

constexpr std::size_t kTokens =
    200;  // past the window, many blocks of every ratio, and past the indexer's top-k

}  // namespace

TEST_CASE("any chunking and any number of threads give the same bits", "[engine]") {
  for (const Numerics numerics : {Numerics::official, Numerics::exact}) {
    Bench one(numerics);
    Bench two(numerics, 2);
    const auto text = one.text(kTokens, 1);
    LiveKv kv = one.new_kv();
    const auto whole = one.feed(kv, text);
    CHECK(std::ranges::all_of(whole, [](float logit) { return std::isfinite(logit); }));
    std::mt19937 random(2);
    for (const std::size_t chunk_max : {1U, 3U, 17U, 64U}) {
      INFO("chunks of at most " << chunk_max);
      LiveKv other = two.new_kv();
      CHECK(two.feed_in_chunks(other, text, random, chunk_max) == whole);
    }
  }
}

TEST_CASE("a batch of sequences gives each what it gets alone", "[engine]") {
  Bench bench(Numerics::official, 2);
  constexpr std::size_t kSequences = 5;
  std::vector<std::vector<TokenId>> texts;
  std::vector<std::vector<float>> alone;
  for (unsigned s = 0; s < kSequences; ++s) {
    texts.push_back(bench.text(60 + 31 * s, 10 + s));
    LiveKv kv = bench.new_kv();
    alone.push_back(bench.feed(kv, texts.back()));
  }
  std::vector<LiveKv> kvs(kSequences, bench.new_kv());
  std::vector<std::vector<float>> together(kSequences);
  std::vector<std::size_t> fed(kSequences);
  std::mt19937 random(3);
  for (;;) {
    std::vector<Feed> feeds;
    std::vector<std::size_t> who;
    for (std::size_t s = 0; s < kSequences; ++s) {
      const std::size_t size = std::min<std::size_t>(random() % 20, texts[s].size() - fed[s]);
      if (size == 0) continue;
      feeds.push_back({&kvs[s], std::span(texts[s]).subspan(fed[s], size), LogitRows::all});
      who.push_back(s);
    }
    if (feeds.empty() && fed == std::vector<std::size_t>{60, 91, 122, 153, 184}) break;
    const auto logits = bench.forward().run(feeds);
    REQUIRE(logits);
    std::size_t row = 0;
    for (std::size_t i = 0; i < feeds.size(); ++i) {
      const auto rows =
          logits->subspan(row * bench.vocab(), feeds[i].tokens.size() * bench.vocab());
      together[who[i]].insert(together[who[i]].end(), rows.begin(), rows.end());
      row += feeds[i].tokens.size();
      fed[who[i]] += feeds[i].tokens.size();
    }
  }
  for (std::size_t s = 0; s < kSequences; ++s) CHECK(together[s] == alone[s]);
}

TEST_CASE("after a rollback it is as if the tokens had never been", "[engine]") {
  Bench bench(Numerics::official);
  const auto text = bench.text(500, 4);
  std::mt19937 random(5);
  for (const std::int64_t taken_back : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 130, 299, 300}) {
    INFO("rolled back " << taken_back);
    LiveKv kv = bench.new_kv();
    const auto before = static_cast<std::size_t>(330 + random() % 40);
    bench.feed_in_chunks(kv, std::span(text).first(before), random, 100);
    LiveKv fork = kv.fork();
    // Other tokens than those that will follow.
    bench.feed_in_chunks(fork, std::span(text).subspan(40, 25), random, 9);
    REQUIRE(fork.rollback(25));
    REQUIRE(fork.rollback(taken_back));
    const auto kept = before - static_cast<std::size_t>(taken_back);
    const auto again = bench.feed_in_chunks(fork, std::span(text).subspan(kept, 60), random, 20);
    LiveKv fresh = bench.new_kv();
    bench.feed_in_chunks(fresh, std::span(text).first(kept), random, 100);
    CHECK(again == bench.feed_in_chunks(fresh, std::span(text).subspan(kept, 60), random, 20));
    // The original did not notice.
    CHECK(kv.position() == static_cast<std::int64_t>(before));
  }
}

TEST_CASE("forks share their past and nothing else", "[engine]") {
  Bench bench(Numerics::official);
  const auto past = bench.text(101, 6);
  const auto left = bench.text(50, 7);
  const auto right = bench.text(50, 8);
  const auto straight = [&](std::span<const TokenId> tail) {
    LiveKv kv = bench.new_kv();
    bench.feed(kv, past);
    return bench.feed(kv, tail);
  };
  LiveKv kv = bench.new_kv();
  bench.feed(kv, past);
  LiveKv other = kv.fork();
  std::vector<float> of_left;
  std::vector<float> of_right;
  for (std::size_t i = 0; i < left.size(); ++i) {  // in turns, so that a shared page would show
    for (const float logit : bench.feed(kv, std::span(left).subspan(i, 1)))
      of_left.push_back(logit);
    for (const float logit : bench.feed(other, std::span(right).subspan(i, 1)))
      of_right.push_back(logit);
  }
  CHECK(of_left == straight(left));
  CHECK(of_right == straight(right));
}

TEST_CASE("a second sequence sees nothing of the first", "[engine]") {
  Bench bench(Numerics::official);
  const auto text = bench.text(30, 9);
  LiveKv first = bench.new_kv();
  const auto logits = bench.feed(first, text);
  LiveKv noise = bench.new_kv();
  bench.feed(noise, bench.text(170, 10));
  LiveKv second = bench.new_kv();
  CHECK(bench.feed(second, text) == logits);
}

TEST_CASE("drafts follow the main model through rollback and chunks", "[engine]") {
  Bench bench(Numerics::official, 1, Drafting::on);
  const auto text = bench.text(120, 11);
  const auto draft = [&](LiveKv& kv, std::size_t from, std::size_t size) {
    const Feed feed{&kv, std::span(text).subspan(from + 1, size), LogitRows::all};
    const auto logits = bench.forward().run_mtp(std::span(&feed, 1));
    REQUIRE(logits);
    return std::vector<float>(logits->begin(), logits->end());
  };
  LiveKv straight = bench.new_kv();
  bench.feed(straight, text);
  const auto expected = draft(straight, 0, 119);
  LiveKv kv = bench.new_kv();
  std::vector<float> drafts;
  for (std::size_t at = 0; at < 119; at += 7) {
    bench.feed(kv, std::span(text).subspan(at, 7));
    const auto more = draft(kv, at, 7);
    drafts.insert(drafts.end(), more.begin(), more.end());
    REQUIRE(kv.rollback(3));
    bench.feed(kv, std::span(text).subspan(at + 4, 3));
    CHECK(draft(kv, at + 4, 3) ==
          std::vector<float>(more.end() - 3 * static_cast<long>(bench.vocab()), more.end()));
  }
  CHECK(drafts == expected);
}

TEST_CASE("memory grows with use and a sliding window stays where it is", "[engine]") {
  Bench bench(Numerics::official);
  const auto text = bench.text(400, 12);
  LiveKv kv = bench.new_kv();
  CHECK(kv.bytes() == 0);
  for (int i = 0; i < 3; ++i) bench.feed(kv, text);
  const std::int64_t before = kv.bytes();
  for (int i = 0; i < 10; ++i) bench.feed(kv, text);
  const KvCost cost = kv_cost(named_shape("tiny").value(), KvFormat::packed);
  const auto grown = static_cast<double>(kv.bytes() - before);
  CHECK(grown >= 4000 * cost.bytes_per_token * 0.8);
  CHECK(grown <= 4000 * cost.bytes_per_token * 1.2 + 65536);  // whole pages
}

TEST_CASE("wrong tokens and too long contexts are refused before anything changes", "[engine]") {
  Bench bench(Numerics::official);
  LiveKv kv = bench.new_kv();
  const auto refusal = [&](std::vector<TokenId> tokens) {
    const Feed feed{&kv, tokens, LogitRows::last};
    const auto logits = bench.forward().run(std::span(&feed, 1));
    return logits ? std::string("accepted") : logits.error().message;
  };
  CHECK(refusal({1, 512}) == "token id 512: the vocabulary has 0 to 511");
  CHECK(refusal({-1}) == "token id -1: the vocabulary has 0 to 511");
  CHECK(refusal(std::vector<TokenId>(1025, 1)) ==
        "a batch of 1025 tokens: feed at most 1024 at a time");
  CHECK(kv.position() == 0);
  CHECK(refusal({1}) == "accepted");
  CHECK(kv.rollback(2).error().message == "roll back 2 tokens: 1 are kept");
}

TEST_CASE("drafts that skipped a long prompt are those of a block that read all of it",
          "[engine]") {
  Bench bench(Numerics::official, 1, Drafting::on);
  const auto text = bench.text(300, 12);
  const auto draft = [&](LiveKv& kv) {
    const auto from = static_cast<std::size_t>(kv.mtp_position());
    const auto size = static_cast<std::size_t>(kv.position()) - from - 1;
    const Feed feed{&kv, std::span(text).subspan(from + 1, size), LogitRows::last};
    const auto logits = bench.forward().run_mtp(std::span(&feed, 1));
    REQUIRE(logits);
    return std::vector<float>(logits->begin(), logits->end());
  };
  LiveKv whole = bench.new_kv();
  bench.feed(whole, text);
  const auto expected = draft(whole);

  LiveKv skipped = bench.new_kv();
  bench.feed(skipped, text);
  CHECK(skipped.mtp_start() > 0);
  skipped.skip_mtp(skipped.mtp_start() - 1);  // the last token's successor is not known yet
  CHECK(draft(skipped) == expected);

  // Taken back to before what the block saw, it begins there.
  REQUIRE(skipped.rollback(200));
  CHECK(skipped.mtp_position() == 100);
  bench.feed(skipped, std::span(text).subspan(100));
  CHECK(draft(skipped).size() == expected.size());
}
