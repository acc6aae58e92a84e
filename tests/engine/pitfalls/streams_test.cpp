// Pitfalls 5 to 8: the maps by which a sub-block reads the residual streams and writes them.
#include "engine/cpu/reference_math.hpp"
#include "engine/local/hyper_connections.hpp"
#include "tests/engine/pitfalls/plain_matrix.hpp"
#include "tests/support/catch.hpp"

#include <cmath>

using namespace fathom::engine;
using namespace fathom::test;

namespace {

constexpr float kBound = 1e-6F;

/// The maps of one sub-block over `hc` streams of `d` values, at first those of fn = 0, base = 0.
struct StreamsRig {
  ModelConfig config;
  PlainMatrix fn;
  HyperConnection hc;
  std::vector<float> streams;

  StreamsRig(std::int64_t hc_mult, std::int64_t d)
      : fn((2 + hc_mult) * hc_mult, hc_mult * d),
        streams(static_cast<std::size_t>(hc_mult * d)),
        pool_(1),
        products_(pool_),
        hyper_(config, products_) {
    config.hc_mult = hc_mult;
    config.hidden_size = d;
    config.sinkhorn_iters = 20;
    hc.base.resize(static_cast<std::size_t>(config.hc_rows()));
    hc.scale = {1, 1, 1};
  }
  /// comb[source][destination] before it is normalised
  [[nodiscard]] float& comb_base(std::int64_t source, std::int64_t destination) {
    const std::int64_t n = config.hc_mult;
    return hc.base[static_cast<std::size_t>(2 * n + source * n + destination)];
  }
  /// What the sub-block is given.
  std::vector<float> read() {
    hc.fn = fn.view();
    std::vector<float> u(static_cast<std::size_t>(config.hidden_size));
    hyper_.read(hc, rows(), {u.data(), 1, config.hidden_size});
    return u;
  }
  /// Changes the streams.
  void write(std::vector<float> output) {
    hyper_.write({output.data(), 1, config.hidden_size}, rows());
  }
  [[nodiscard]] std::vector<float> post() const {
    return {hyper_.post(0), hyper_.post(0) + config.hc_mult};
  }
  [[nodiscard]] std::vector<float> comb() const {
    return {hyper_.comb(0), hyper_.comb(0) + config.hc_mult * config.hc_mult};
  }

 private:
  [[nodiscard]] Rows rows() {
    return {streams.data(), 1, static_cast<std::int64_t>(streams.size())};
  }

  ThreadPool pool_;
  ProductRunner products_;
  HyperConnections hyper_;
};

void check_near(std::span<const float> actual, std::initializer_list<double> expected) {
  REQUIRE(actual.size() == expected.size());
  std::size_t i = 0;
  for (const double value : expected)
    CHECK(std::abs(static_cast<double>(actual[i++]) - value) < static_cast<double>(kBound));
}

}  // namespace

TEST_CASE("pitfall 5: comb maps from its first index to its second", "[engine]") {
  StreamsRig rig(4, 1);
  for (std::int64_t i = 0; i < 4; ++i) {
    rig.comb_base(i, (i + 1) % 4) = 60;                  // stream i goes to stream i + 1
    rig.hc.base[static_cast<std::size_t>(4 + i)] = -90;  // and the output nowhere
  }
  rig.streams = {10, 20, 30, 40};
  rig.read();
  rig.write({999});
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(std::abs(rig.streams[(i + 1) % 4] - 10 * static_cast<float>(i + 1)) < 1e-3F);
}

TEST_CASE("pitfall 6: Sinkhorn is a row softmax, then columns, then rows and columns in turn",
          "[engine]") {
  // By hand: the softmax of the rows is 1/4 3/4, 1/2 1/2.
  const std::vector<float> start = {0, std::log(3.0F), 0, 0};
  const auto both = [&](std::int64_t iterations, double eps, std::initializer_list<double> wanted) {
    INFO(iterations << " iterations, eps " << eps);
    std::vector<float> m = start;
    sinkhorn(m.data(), 2, iterations, static_cast<float>(eps));
    check_near(m, wanted);
    m = start;
    reference::sinkhorn(m, iterations, eps);
    check_near(m, wanted);
  };
  both(1, 0, {1.0 / 3, 3.0 / 5, 2.0 / 3, 2.0 / 5});
  both(2, 0, {4.0 / 11, 12.0 / 19, 7.0 / 11, 7.0 / 19});
  both(1, 0.1, {0.35 / 1.05, 0.85 / 1.55, 0.6 / 1.05, 0.6 / 1.55});
  // The configuration's iterations and epsilon are the ones that run.
  StreamsRig rig(2, 1);
  rig.comb_base(0, 1) = std::log(3.0F);
  rig.config.hc_eps = 0;
  rig.config.sinkhorn_iters = 2;
  rig.read();
  check_near(rig.comb(), {4.0 / 11, 12.0 / 19, 7.0 / 11, 7.0 / 19});
  rig.config.hc_eps = 0.1;
  rig.config.sinkhorn_iters = 1;
  rig.read();
  check_near(rig.comb(), {0.35 / 1.05, 0.85 / 1.55, 0.6 / 1.05, 0.6 / 1.55});
}

TEST_CASE("pitfall 7: post is twice a sigmoid without epsilon, pre one sigmoid with it",
          "[engine]") {
  StreamsRig rig(2, 1);
  rig.config.hc_eps = 0.25;
  rig.hc.base = {0, 90, 0, 90, 0, 0, 0, 0};
  rig.streams = {8, 100};
  check_near(rig.read(), {0.75 * 8 + 1.25 * 100});
  check_near(rig.post(), {1, 2});
}

TEST_CASE("pitfall 8: the maps' norm is one over all values of all streams", "[engine]") {
  StreamsRig rig(2, 2);
  rig.streams = {3, 3, 0, 0};
  rig.fn.at(2, 0) = 1;  // the first stream's post
  rig.read();
  const double x = 3 / std::sqrt(4.5);  // of its own stream alone the value would be 1
  check_near(rig.post(), {2 / (1 + std::exp(-x)), 1});
}
