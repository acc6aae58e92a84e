// Pitfalls 1 to 4, 25 and 26: the mixture of experts.
#include "engine/local/moe_block.hpp"
#include "engine/model/quant_formats.hpp"
#include "tests/engine/pitfalls/plain_matrix.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>

using namespace fathom;
using namespace fathom::engine;
using namespace fathom::test;

namespace {

constexpr std::int64_t kWidth = 128;  // of inputs and of experts' hidden vectors
constexpr std::int64_t kExperts = 4;
constexpr float kLimit = 2;
constexpr float kBound = 1e-6F;

/// Experts that are zero until a test fills them. The input is 1 at 0 and 0 elsewhere.
struct MoeRig {
  struct Mlp {
    PlainMatrix w1{kWidth, kWidth}, w2{kWidth, kWidth}, w3{kWidth, kWidth};

    [[nodiscard]] Expert view() const { return {w1.view(), w2.view(), w3.view()}; }
    /// Output `place` becomes silu(gate) * up, clamped.
    void set(float gate_in, float up_in, std::int64_t place) {
      w1.at(place, 0) = gate_in;
      w3.at(place, 0) = up_in;
      w2.at(place, place) = 1;
    }
  };

  ModelConfig config;
  PlainMatrix gate{kExperts, kWidth};
  std::vector<float> bias = std::vector<float>(kExperts);
  std::vector<std::int64_t> table;  ///< two experts a token; empty: by score
  TensorType table_type = TensorType::i64;
  std::deque<Mlp> experts{kExperts};
  Mlp shared;
  Numerics numerics = Numerics::exact;
  std::int32_t token = 0;

  MoeRig() {
    config.hidden_size = config.expert_hidden = kWidth;
    config.experts = kExperts;
    config.experts_per_token = 2;
    config.routed_scaling = 1;
    config.swiglu_limit = kLimit;
  }

  struct Answer {
    std::vector<float> output;
    std::vector<std::int32_t> experts;
    std::vector<float> weights;
  };
  [[nodiscard]] Answer run() const {
    Moe moe;
    moe.gate = gate.view();
    if (table.empty())
      moe.bias = bias;
    else
      moe.table = ExpertTable{reinterpret_cast<const std::byte*>(table.data()), table_type, 2};
    for (const Mlp& expert : experts) moe.experts.push_back(expert.view());
    moe.shared = shared.view();
    ThreadPool pool(1);
    ProductRunner products(pool);
    MoeBlock block(config, numerics, products);
    std::vector<float> input(kWidth);
    input[0] = 1;
    Answer out;
    out.output.resize(kWidth);
    const BatchToken at{nullptr, 7, token};  // its position is no token of the table
    block.run(moe, std::span(&at, 1), {input.data(), 1, kWidth}, {out.output.data(), 1, kWidth});
    out.experts.assign(block.experts(0).begin(), block.experts(0).end());
    out.weights.assign(block.weights(0).begin(), block.weights(0).end());
    return out;
  }
};

float silu(float x) { return x / (1 + std::exp(-x)); }
/// sqrt(softplus(x))
double score(double x) { return std::sqrt(std::log1p(std::exp(x))); }

/// Four pairs of gate and up, each beyond the limit on some side.
void set_beyond_limits(MoeRig::Mlp& mlp) {
  mlp.set(9, 1, 0);
  mlp.set(1, 9, 1);
  mlp.set(1, -9, 2);
  mlp.set(-9, 1, 3);
}

void check_clamped(std::span<const float> output, float weight) {
  const float expected[] = {silu(2) * 1, silu(1) * 2, silu(1) * -2, silu(-9) * 1};
  for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(output[i] - weight * expected[i]) < kBound);
}

}  // namespace

TEST_CASE("pitfall 1: the shared expert is clamped", "[engine]") {
  MoeRig rig;
  set_beyond_limits(rig.shared);
  check_clamped(rig.run().output, 1);
}

TEST_CASE("pitfall 2: routed experts are clamped by the same limit", "[engine]") {
  MoeRig rig;
  rig.table = {3, 1};
  set_beyond_limits(rig.experts[3]);
  check_clamped(rig.run().output, 0.5F);
}

TEST_CASE("pitfall 3: the gate is clamped above only, the up branch on both sides", "[engine]") {
  MoeRig rig;
  rig.table = {3, 1};
  for (MoeRig::Mlp* mlp : {&rig.shared, &rig.experts[3]}) {
    mlp->set(-9, -9, 0);
    mlp->set(-3, 0.5F, 1);
  }
  const auto output = rig.run().output;
  CHECK(std::abs(output[0] - 1.5F * silu(-9) * -2) < kBound);
  CHECK(std::abs(output[1] - 1.5F * silu(-3) * 0.5F) < kBound);
}

TEST_CASE("pitfall 4: the routing weight multiplies before w2's input is rounded", "[engine]") {
  MoeRig rig;
  rig.numerics = Numerics::official;
  rig.table = {3, 1};
  rig.config.routed_scaling = 1.4;
  rig.config.swiglu_limit = 0;
  const float weight = 0.7F;
  std::vector<float> before(kWidth);
  std::vector<float> after(kWidth);
  for (std::int64_t i = 0; i < kWidth; ++i) {
    const float hidden = 32 * (1 + static_cast<float>(i) / 100);  // silu(32) is 32
    rig.experts[3].set(32, hidden / 32, i);
    before[static_cast<std::size_t>(i)] = weight * hidden;
    after[static_cast<std::size_t>(i)] = hidden;
  }
  round_to_fp8(before, 128);
  round_to_fp8(after, 128);
  for (float& value : after) value *= weight;
  CHECK(rig.run().output == before);
  CHECK(before != after);
}

TEST_CASE("pitfall 25: hash layers take experts by token id and weights from the gate",
          "[engine]") {
  MoeRig rig;
  rig.table = {0, 1, 0, 1, 1, 0, 2, 0};
  rig.token = 3;
  rig.config.routed_scaling = 1.5;
  for (std::int64_t e = 0; e < kExperts; ++e) rig.gate.at(e, 0) = static_cast<float>(e) - 1;
  const double sum = score(1) + score(-1);
  for (const TensorType type : {TensorType::i64, TensorType::i32}) {
    if (type == TensorType::i32) {  // as some copies store it
      std::vector<std::int32_t> narrow(rig.table.begin(), rig.table.end());
      std::memcpy(rig.table.data(), narrow.data(), narrow.size() * sizeof(std::int32_t));
    }
    rig.table_type = type;
    const auto answer = rig.run();
    CHECK(answer.experts == std::vector<std::int32_t>{2, 0});
    CHECK(std::abs(static_cast<double>(answer.weights[0]) - 1.5 * score(1) / sum) < 1e-6);
    CHECK(std::abs(static_cast<double>(answer.weights[1]) - 1.5 * score(-1) / sum) < 1e-6);
  }
  // Only the first layers have a table, and the MTP block never does.
  for_each_own_set([](const Golden& golden) {
    const auto weights = Weights::load(golden.dir / "quant");
    if (!weights) FAIL(weights.error().message);
    for (std::int64_t l = 0; l < weights->config.layers; ++l) {
      const Moe& moe = weights->layers[static_cast<std::size_t>(l)].moe;
      CHECK(moe.table.has_value() == (l < weights->config.hash_layers));
      CHECK(moe.bias.empty() == (l < weights->config.hash_layers));
    }
    CHECK_FALSE(weights->mtp->layer.moe.table.has_value());
    CHECK_FALSE(weights->mtp->layer.moe.bias.empty());
  });
}

TEST_CASE("pitfall 26: the bias chooses experts and has no part in their weights", "[engine]") {
  MoeRig rig;
  const float logits[] = {3, 2, -1, -2};
  for (std::int64_t e = 0; e < kExperts; ++e) rig.gate.at(e, 0) = logits[e];
  rig.bias = {0, 0, 9, 8};
  rig.config.routed_scaling = 2.5;
  const auto answer = rig.run();
  CHECK(answer.experts == std::vector<std::int32_t>{2, 3});
  const double sum = score(-1) + score(-2);
  CHECK(std::abs(static_cast<double>(answer.weights[0]) - 2.5 * score(-1) / sum) < 1e-6);
  CHECK(std::abs(static_cast<double>(answer.weights[1]) - 2.5 * score(-2) / sum) < 1e-6);
  // Scores of 2e-20: any epsilon in the sum would show.
  for (std::int64_t e = 0; e < kExperts; ++e) rig.gate.at(e, 0) = -90;
  CHECK(rig.run().weights == std::vector<float>{1.25F, 1.25F});
}
