// Pitfalls 9 to 13 and 38: what is turned by which angle.
#include "engine/cpu/reference_math.hpp"
#include "tests/engine/pitfalls/attention_rig.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <cmath>
#include <limits>

using namespace fathom::engine;
using namespace fathom::test;

namespace {

constexpr std::int64_t kFar = 100;  // past the window, where a wrong base has come far
constexpr std::int64_t kRatios[] = {0, 4, 8};
constexpr double kNoSink = -std::numeric_limits<double>::infinity();

RopeBase base_of(std::int64_t ratio) { return ratio == 0 ? RopeBase::plain : RopeBase::yarn; }

/// The same token over and over: only positions differ.
Values token() { return noise(kRigDim, 1); }
std::vector<Values> tokens(std::int64_t count) {
  return std::vector<Values>(static_cast<std::size_t>(count), token());
}

/// What a query at the end of `count` equal tokens sees, before rope: its window, and where the
/// ratio has them all closed entries.
std::vector<Visible> seen_by_last(const AttentionRig& rig, std::int64_t count) {
  std::vector<Visible> out;
  for (std::int64_t p = std::max<std::int64_t>(0, count - rig.config.window); p < count; ++p)
    out.push_back({normed(token()), p});
  const std::int64_t ratio = rig.config.ratio(0);
  for (std::int64_t b = 0; ratio > 0 && b < count / ratio; ++b)
    out.push_back({normed(token()), b * ratio});
  return out;
}

}  // namespace

TEST_CASE("pitfall 9: layers with ratio 0 turn by rope_theta, all others by YaRN", "[engine]") {
  for (const std::int64_t ratio : kRatios) {
    INFO("ratio " << ratio);
    const AttentionRig rig(ratio);
    LiveKv kv = rig.new_kv();
    const auto outputs = rig.run(kv, tokens(kFar + 1));
    for (const std::int64_t p : {1L, 7L, long{kFar}})
      CHECK(largest_difference(floats(kv.layer(0).window, p),
                               roped(rig.config, base_of(ratio), normed(token()), p)) < kRigBound);
    // The query, and the way back from its output.
    const Values expected = attended(rig.config, base_of(ratio), {normed(token()), kFar},
                                     seen_by_last(rig, kFar + 1), kNoSink);
    CHECK(largest_difference(outputs.back(), expected) < kRigBound);
  }
}

TEST_CASE("pitfall 10: YaRN changes angles, never lengths nor the softmax's scale", "[engine]") {
  AttentionRig rig(4);
  for (const double factor : {1.0, 4.0, 64.0}) {
    rig.config.rope_factor = factor;
    const auto frequencies = RopeFrequencies::compressed(rig.config);
    std::vector<float> cos(frequencies.pairs());
    std::vector<float> sin(frequencies.pairs());
    frequencies.angles(77, cos, sin);
    for (std::size_t k = 0; k < cos.size(); ++k)
      CHECK(std::abs(cos[k] * cos[k] + sin[k] * sin[k] - 1) < 1e-6F);
    // The sink stays as it is, so that a changed scale of the scores changes the output.
    rig.sinks = {9};
    const auto inputs = tokens(6);
    const Values expected =
        attended(rig.config, RopeBase::yarn, {normed(token()), 5}, seen_by_last(rig, 6), 9);
    CHECK(largest_difference(rig.run(inputs).back(), expected) < kRigBound);
  }
}

TEST_CASE("pitfall 11: rope turns neighbours among the last dims of a head", "[engine]") {
  const AttentionRig rig(0);
  LiveKv kv = rig.new_kv();
  rig.run(kv, tokens(4));
  Values expected = normed(token());
  Values of_reference = expected;
  for (std::size_t i = kRigNope; i < kRigDim; i += 2) {
    const double angle =
        3 * std::pow(10000.0, -static_cast<double>(i - kRigNope) / static_cast<double>(kRigRope));
    const auto x0 = static_cast<double>(expected[i]);
    const auto x1 = static_cast<double>(expected[i + 1]);
    expected[i] = static_cast<float>(x0 * std::cos(angle) - x1 * std::sin(angle));
    expected[i + 1] = static_cast<float>(x0 * std::sin(angle) + x1 * std::cos(angle));
  }
  CHECK(largest_difference(floats(kv.layer(0).window, 3), expected) < kRigBound);
  reference::rope(of_reference, RopeFrequencies::window(rig.config), 3, reference::Turn::forward);
  CHECK(largest_difference(of_reference, expected) < kRigBound);
}

TEST_CASE("pitfall 12: entry b is roped at the first token of its block, b times the ratio",
          "[engine]") {
  for (const std::int64_t ratio : {4, 8}) {
    INFO("ratio " << ratio);
    const AttentionRig rig(ratio);
    LiveKv kv = rig.new_kv();
    rig.run(kv, tokens(41));
    REQUIRE(kv.layer(0).entries.size() == 41 / ratio);
    for (std::int64_t b = 0; b < 41 / ratio; ++b)
      CHECK(largest_difference(floats(kv.layer(0).entries, b),
                               roped(rig.config, RopeBase::yarn, normed(token()), b * ratio)) <
            kRigBound);
  }
}

TEST_CASE("pitfall 13: the output is turned back by the angles of the query's position",
          "[engine]") {
  for (const std::int64_t ratio : {0, 8}) {
    // With a window of one and no entry yet a token sees itself alone: out comes what went in.
    AttentionRig rig(ratio);
    rig.config.window = 1;
    for (const Values& output : rig.run(tokens(7)))
      CHECK(largest_difference(output, normed(token())) < kRigBound);
  }
}

TEST_CASE("pitfall 38: angles near a million are f32 products whose cosine is exact", "[engine]") {
  ModelConfig config;
  config.rope_dim = 64;
  config.rope_theta = 10000;
  const auto frequencies = RopeFrequencies::window(config);
  std::array<float, 32> cos{};
  std::array<float, 32> sin{};
  frequencies.angles(1048575, cos, sin);
  // Computed apart, in double from the angle rounded to f32: 1048575, 786320.3125, 248656.3125,
  // 7863.20361328125 and 139.82972717285156.
  struct Known {
    std::size_t pair;
    double cos;
    double sin;
  };
  for (const Known& known :
       {Known{0, 0.788042240, -0.615621173}, Known{1, 0.091530435, -0.995802279},
        Known{5, 0.734388094, -0.678729790}, Known{17, -0.979506734, 0.201411416},
        Known{31, -0.028850084, 0.999583750}}) {
    INFO("pair " << known.pair);
    CHECK(std::abs(static_cast<double>(cos[known.pair]) - known.cos) < 1e-7);
    CHECK(std::abs(static_cast<double>(sin[known.pair]) - known.sin) < 1e-7);
  }
  // Nothing is accumulated: the way to a position does not matter.
  std::array<float, 32> again{};
  std::array<float, 32> there{};
  for (std::int64_t p = 1048000; p <= 1048575; ++p) frequencies.angles(p, again, there);
  CHECK(again == cos);
  CHECK(there == sin);
}
