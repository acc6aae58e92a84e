// The reference forward pass against golden vectors of the official mathematics.
#include "engine/cpu/reference.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden_check.hpp"

using namespace fathom;
using namespace fathom::engine;
using namespace fathom::test;

namespace {

void check_exact(const Golden& golden) {
  const ExpectedTensors expected = read_expected(golden.dir / "expected_f32.safetensors");
  for (const auto& dir : golden.checkpoints()) {
    INFO(dir.string());
    const Result<Weights> weights = Weights::load(dir);
    if (!weights) FAIL(weights.error().message);
    ComponentCheck components(expected);
    Reference model(*weights, Numerics::exact,
                    [&](std::string_view name, std::int64_t layer, std::int64_t position,
                        std::span<const float> values) {
                      components.compare({name, layer, position}, values);
                    });
    for (std::size_t p = 0; p < golden.ids.size(); ++p) {
      const Values logits = model.step(golden.ids[p]);
      components.compare_logits("logits", static_cast<std::int64_t>(p), logits);
      if (p == 0 || !weights->mtp) continue;
      components.compare_logits("mtp_logits", static_cast<std::int64_t>(p) - 1,
                                model.mtp_step(golden.ids[p]));
    }
    CHECK(components.report() == "");
    CHECK(components.compared() > golden.ids.size() * 4);
  }
}

/// Layer by layer from the recorded inputs, since rounding to a grid is discontinuous end to end.
void check_official_locally(const Golden& golden) {
  const ExpectedTensors expected = read_expected(golden.dir / "expected_q.safetensors");
  const Result<Weights> weights = Weights::load(golden.dir / "quant");
  if (!weights) FAIL(weights.error().message);
  const Reference model(*weights, Numerics::official);
  LayerLocalCheck check(expected);
  const ModelConfig& config = weights->config;
  for (std::int64_t l = 0; l < config.layers + config.mtp_layers; ++l) {
    const Layer& layer =
        l < config.layers ? weights->layers[static_cast<std::size_t>(l)] : weights->mtp->layer;
    ReferenceLayerState state;
    for (std::int64_t p = 0; p < check.positions(l); ++p) {
      check.compare("attn_out", l, p,
                    model.attention(layer, l, state, check.input("attn_in", l, p)));
      const auto token = golden.ids[static_cast<std::size_t>(l < config.layers ? p : p + 1)];
      check.compare("ffn_out", l, p,
                    model.moe(layer.moe, l, p, token, check.input("ffn_in", l, p)));
    }
  }
  CHECK(check.report() == "");
}

/// Our own sets were chosen so that no value lies on an edge of the grid: there the whole model can
/// be compared.
void check_official(const Golden& golden) {
  const ExpectedTensors expected = read_expected(golden.dir / "expected_q.safetensors");
  const Result<Weights> weights = Weights::load(golden.dir / "quant");
  if (!weights) FAIL(weights.error().message);
  ComponentCheck check(expected);
  Reference model(*weights, Numerics::official);
  for (std::size_t p = 0; p < golden.ids.size(); ++p)
    check.compare_logits("logits", static_cast<std::int64_t>(p), model.step(golden.ids[p]));
  CHECK(check.report() == "");
}

}  // namespace

TEST_CASE("the reference equals our own vectors in both numerics", "[engine][golden]") {
  for_each_own_set(check_exact);
  for_each_own_set(check_official);
}

TEST_CASE("the reference equals the official model on p1-all", "[engine][golden]") {
  with_outside_set("p1-all", check_exact);
}

TEST_CASE("the reference equals the official model on p2-ratio128", "[engine][golden]") {
  with_outside_set("p2-ratio128", check_exact);
}

TEST_CASE("the reference equals the official model on p3-short", "[engine][golden]") {
  with_outside_set("p3-short", check_exact);
}

TEST_CASE("the reference equals the official model on whatever else is there", "[engine][golden]") {
  for_each_other_outside_set(check_exact);
}

TEST_CASE("the reference rounds as the official model does, layer by layer", "[engine][golden]") {
  with_outside_set("p3-short", check_official_locally);
}
