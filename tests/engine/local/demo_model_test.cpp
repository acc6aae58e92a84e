// The bundled checkpoint, as the engine reads it, against what the trainer's torch says of it: two
// implementations that share nothing but the specification.
#include "engine/local/forward.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

using namespace fathom;
using namespace fathom::engine;

namespace {

constexpr const char* kFolder = "examples/demo/model";
/// Of logits that are some 10 apart, from streams of up to 1,000.
constexpr float kLogitBound = 0.02F;

nlohmann::json probe() {
  std::ifstream file(std::string(kFolder) + "/probe.json");
  return nlohmann::json::parse(file);
}

}  // namespace

TEST_CASE("the demo's model says what its trainer says", "[golden]") {
  const auto wanted = probe();
  const auto ids = wanted["ids"].get<std::vector<TokenId>>();
  const Result<Weights> weights = Weights::load(kFolder);
  REQUIRE(weights);
  ThreadPool pool(2);
  const Numerics numerics = GENERATE(Numerics::exact, Numerics::official);
  Forward forward(*weights, numerics, pool);
  LiveKv kv(weights->config, KvFormat::f32);
  const Feed feed{&kv, ids, LogitRows::all};
  const auto logits = forward.run(std::span(&feed, 1));
  REQUIRE(logits);
  const std::size_t vocab = logits->size() / ids.size();
  for (const auto& row : wanted["rows"]) {
    const auto values = logits->subspan(row["position"].get<std::size_t>() * vocab, vocab);
    const auto best = std::ranges::max_element(values) - values.begin();
    CHECK(best == row["tokens"][0]);
    if (numerics != Numerics::exact) continue;
    for (std::size_t i = 0; i < row["tokens"].size(); ++i) {
      INFO("position " << row["position"] << ", token " << row["tokens"][i]);
      CHECK(std::abs(values[row["tokens"][i].get<std::size_t>()] - row["logits"][i].get<float>()) <=
            kLogitBound);
    }
  }
}
