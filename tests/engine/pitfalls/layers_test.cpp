// Pitfalls 8, 30 and 35: how the parts of a layer and of MTP hang together. One of our own models
// runs, and what passes between the parts is computed again from what passed before.
#include "engine/cpu/reference_math.hpp"
#include "engine/local/forward.hpp"
#include "tests/engine/pitfalls/attention_rig.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden_check.hpp"

#include <map>
#include <string>

using namespace fathom;
using namespace fathom::engine;
using namespace fathom::test;

namespace {

/// Rounding of f32 against double, on values of size ten and logits of size one.
constexpr float kBound = 2e-4F;

/// A run over a recorded input, MTP included, with everything that was seen on the way.
class Trace {
 public:
  explicit Trace(const Golden& golden)
      : weights(load(golden)),
        tokens(golden.ids.begin(), golden.ids.end()),
        pool_(1),
        products_(pool_),
        hyper_(weights.config, products_) {
    Forward forward(weights, Numerics::exact, pool_, Drafting::on);
    forward.observe([&](std::string_view name, std::int64_t layer, std::int64_t position,
                        std::span<const float> values) {
      seen_[{std::string(name), layer, position}].assign(values.begin(), values.end());
    });
    LiveKv kv = forward.new_kv();
    const Feed feed{&kv, tokens, LogitRows::all};
    REQUIRE(forward.run(std::span(&feed, 1)));
    const Feed next{&kv, std::span(tokens).subspan(1), LogitRows::all};
    const auto logits = forward.run_mtp(std::span(&next, 1));
    REQUIRE(logits);
    mtp_logits.assign(logits->begin(), logits->end());
  }

  [[nodiscard]] const Values& at(const char* name, std::int64_t layer,
                                 std::int64_t position) const {
    return seen_.at({name, layer, position});
  }
  [[nodiscard]] std::int64_t positions() const { return static_cast<std::int64_t>(tokens.size()); }
  [[nodiscard]] std::int64_t mtp_layer() const { return weights.config.layers; }

  Values read(const HyperConnection& hc, Values streams) {
    Values u(static_cast<std::size_t>(weights.config.hidden_size));
    hyper_.read(hc, row(streams), row(u));
    return u;
  }
  /// With the maps of the last read.
  Values write(Values output, Values streams) {
    hyper_.write(row(output), row(streams));
    return streams;
  }
  Values read_head(const OutputHead& head, Values streams) {
    Values u(static_cast<std::size_t>(weights.config.hidden_size));
    hyper_.read_head(head, row(streams), row(u));
    return u;
  }
  [[nodiscard]] Values norm(const Values& x, const std::vector<float>& weight) const {
    return reference::rms(x, weight, weights.config.norm_eps);
  }
  [[nodiscard]] Values embedded(TokenId token) const {
    Values out(static_cast<std::size_t>(weights.config.hidden_size));
    dequantize_row(weights.embed, token, out);
    return out;
  }

  Weights weights;
  std::vector<TokenId> tokens;
  Values mtp_logits;

 private:
  static Weights load(const Golden& golden) {
    auto weights = Weights::load(golden.dir / "quant");
    if (!weights) FAIL(weights.error().message);
    return std::move(*weights);
  }
  static Rows row(Values& values) {
    return {values.data(), 1, static_cast<std::int64_t>(values.size())};
  }

  ThreadPool pool_;
  ProductRunner products_;
  HyperConnections hyper_;
  std::map<std::tuple<std::string, std::int64_t, std::int64_t>, Values> seen_;
};

/// What MTP's first sub-block is given (v4-spec §2.9).
Values mtp_input(Trace& trace, std::int64_t position) {
  const MtpBlock& mtp = *trace.weights.mtp;
  const Values& streams = trace.at("X", trace.mtp_layer() - 1, position);
  const Values next = trace.embedded(trace.tokens[static_cast<std::size_t>(position + 1)]);
  const Values e = reference::product(mtp.e_proj, trace.norm(next, mtp.enorm));
  Values input;
  for (std::size_t i = 0; i < streams.size(); i += e.size()) {
    const Values stream(streams.begin() + static_cast<long>(i),
                        streams.begin() + static_cast<long>(i + e.size()));
    const Values h = reference::product(mtp.h_proj, trace.norm(stream, mtp.hnorm));
    for (std::size_t k = 0; k < e.size(); ++k) input.push_back(e[k] + h[k]);
  }
  return trace.read(mtp.layer.hc_attn, input);
}

/// One layer at one position, from the streams before it.
void check_layer(Trace& trace, const Layer& layer, std::int64_t index, std::int64_t position,
                 const Values& before) {
  INFO("layer " << index << ", position " << position);
  const auto seen = [&](const char* name) -> const Values& {
    return trace.at(name, index, position);
  };
  CHECK(seen("hc_attn_u") == trace.read(layer.hc_attn, before));
  CHECK(seen("X_mid") == trace.write(seen("attn_out"), before));
  CHECK(seen("hc_ffn_u") == trace.read(layer.hc_ffn, seen("X_mid")));
  CHECK(seen("X") == trace.write(seen("ffn_out"), seen("X_mid")));
  CHECK(largest_difference(seen("attn_in"), trace.norm(seen("hc_attn_u"), layer.attn_norm)) <
        kBound);
  CHECK(largest_difference(seen("ffn_in"), trace.norm(seen("hc_ffn_u"), layer.ffn_norm)) < kBound);
}

}  // namespace

TEST_CASE("pitfall 8: MTP's hnorm is of each stream alone", "[engine]") {
  for_each_own_set([](const Golden& golden) {
    Trace trace(golden);
    for (std::int64_t p = 0; p + 1 < trace.positions(); ++p)
      CHECK(largest_difference(trace.at("hc_attn_u", trace.mtp_layer(), p), mtp_input(trace, p)) <
            kBound);
  });
}

TEST_CASE("pitfall 30: MTP has its own hc_head and norm, and the main embedding and head",
          "[engine]") {
  for_each_own_set([](const Golden& golden) {
    Trace trace(golden);
    const Weights& weights = trace.weights;
    const OutputHead& own = weights.mtp->output;
    for (std::int64_t p = 0; p + 1 < trace.positions(); ++p) {
      INFO("position " << p);
      CHECK(largest_difference(trace.at("hc_attn_u", trace.mtp_layer(), p), mtp_input(trace, p)) <
            kBound);
      const Values u = trace.read_head(own, trace.at("X", trace.mtp_layer(), p));
      const auto vocab = static_cast<std::size_t>(weights.config.vocab_size);
      CHECK(largest_difference(
                std::span(trace.mtp_logits).subspan(static_cast<std::size_t>(p) * vocab, vocab),
                reference::product(weights.head, trace.norm(u, own.norm))) < kBound);
    }
    // The block's duplicates of the embedding and the head are not needed.
    CHECK(weights.embed.data == weights.checkpoint.find("embed.weight")->bytes.data());
    CHECK(weights.head.data == weights.checkpoint.find("head.weight")->bytes.data());
    CHECK(own.hc_fn.data == weights.checkpoint.find("mtp.0.hc_head_fn")->bytes.data());
    CHECK(own.norm != weights.output.norm);
  });
}

TEST_CASE("pitfall 35: each sub-block reads the streams behind the one before and is normed once",
          "[engine]") {
  for_each_own_set([](const Golden& golden) {
    Trace trace(golden);
    for (std::int64_t p = 0; p < trace.positions(); ++p) {
      const Values embedded = trace.embedded(trace.tokens[static_cast<std::size_t>(p)]);
      Values streams;
      for (std::int64_t i = 0; i < trace.weights.config.hc_mult; ++i)
        streams.insert(streams.end(), embedded.begin(), embedded.end());
      for (std::int64_t l = 0; l < trace.weights.config.layers; ++l) {
        check_layer(trace, trace.weights.layers[static_cast<std::size_t>(l)], l, p, streams);
        streams = trace.at("X", l, p);
      }
    }
  });
}
