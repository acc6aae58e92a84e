// Pitfalls 23 and 24: the query's norm and the sink.
#include "tests/engine/cpu/canonical.hpp"
#include "tests/engine/pitfalls/attention_rig.hpp"
#include "tests/support/catch.hpp"

#include <cmath>

using namespace fathom::engine;
using namespace fathom::test;

TEST_CASE("pitfall 23: every head's query is divided by its own root mean square", "[engine]") {
  AttentionRig rig(0, 2);
  for (std::int64_t i = 0; i < kRigDim; ++i) {  // one head small, one large: equal when normed
    rig.wq_b.at(i, i) = 0.1F;
    rig.wq_b.at(kRigDim + i, i) = 30;
  }
  rig.sinks = {0.3F, 0.3F};
  std::vector<Values> inputs;
  std::vector<Visible> visible;
  for (std::uint32_t p = 0; p < 6; ++p) {
    inputs.push_back(noise(kRigDim, 10 + p));
    visible.push_back({normed(inputs.back()), p});
  }
  const auto sink = static_cast<double>(rig.sinks[0]);
  const Values expected = attended(rig.config, RopeBase::plain, visible.back(), visible, sink);
  for (rig.shown_head = 0; rig.shown_head < 2; ++rig.shown_head)
    CHECK(largest_difference(rig.run(inputs).back(), expected) < kRigBound);
}

TEST_CASE("pitfall 24: the sink is one more score, unscaled and without a value", "[engine]") {
  // At position 0 a token sees itself: a score of sqrt(dims) against the sink.
  AttentionRig rig(0, 2);
  rig.sinks = {8, 10};
  const std::vector<Values> inputs = {noise(kRigDim, 20)};
  const double score = std::sqrt(static_cast<double>(kRigDim));
  for (rig.shown_head = 0; rig.shown_head < 2; ++rig.shown_head) {
    const double sink = 8 + 2 * static_cast<double>(rig.shown_head);
    const double weight = std::exp(score) / (std::exp(score) + std::exp(sink));
    Values expected = normed(inputs[0]);
    for (float& value : expected) value = static_cast<float>(value * weight);
    CHECK(largest_difference(rig.run(inputs)[0], expected) < kRigBound);
  }
  // Scores ln 2 and ln 4 beside a sink of ln 2: weights of 2/8, 4/8 and 2/8 for nothing.
  constexpr KvShape kShape{64, 16};
  Values query(kRigDim);
  query[0] = 1;
  Values first(kRigDim);
  first[0] = 2 * std::log(2.0F);
  first[1] = 8;
  Values second(kRigDim);
  second[0] = 2 * std::log(4.0F);
  second[2] = 8;
  const float sink = std::log(2.0F);
  const std::byte* entries[] = {reinterpret_cast<const std::byte*>(first.data()),
                                reinterpret_cast<const std::byte*>(second.data())};
  for (const Kernels* kernels : all_kernels()) {
    Values out(kRigDim);
    kernels->attend({.queries = query.data(),
                     .heads = 1,
                     .sinks = &sink,
                     .scale = 0.5F,
                     .shape = kShape,
                     .format = KvFormat::f32,
                     .entries = entries,
                     .entry_count = 2,
                     .out = out.data()});
    CHECK(std::abs(out[1] - 2) < 1e-5F);
    CHECK(std::abs(out[2] - 4) < 1e-5F);
  }
}
