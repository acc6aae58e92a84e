#include "engine/model/rope.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/golden_model.hpp"
#include "tests/support/skip.hpp"

#include <cmath>

using namespace fathom;
using namespace fathom::engine;

namespace {

constexpr float kAngleBound = 1e-6F;

ModelConfig real_rope() {
  ModelConfig config;
  config.rope_dim = 64;
  config.rope_theta = 10000;
  config.compress_rope_theta = 160000;
  config.rope_factor = 16;
  config.rope_original_context = 65536;
  return config;
}

}  // namespace

TEST_CASE("YaRN leaves fast pairs alone and slows the others by the factor", "[engine]") {
  ModelConfig config = real_rope();
  const auto scaled = RopeFrequencies::compressed(config);
  config.rope_original_context = 0;
  const auto plain = RopeFrequencies::compressed(config);
  for (std::size_t k = 0; k <= 15; ++k) CHECK(scaled.frequencies()[k] == plain.frequencies()[k]);
  for (std::size_t k = 25; k < 32; ++k)
    CHECK(scaled.frequencies()[k] == plain.frequencies()[k] / 16);
}

TEST_CASE("rope angles equal the official tables up to a position of a million",
          "[engine][golden]") {
  const auto file = test::vectors_dir() / "v4" / "units" / "units.safetensors";
  if (!std::filesystem::exists(file))
    return test::skip("no unit vectors at " + file.string() + ": rope angles were not compared");
  const auto units = test::read_expected(file);
  const auto& positions = units.at("rope.positions").values;
  for (const std::string kind : {"rope_window", "rope_compress"}) {
    const auto frequencies = kind == "rope_window" ? RopeFrequencies::window(real_rope())
                                                   : RopeFrequencies::compressed(real_rope());
    std::vector<float> cos(frequencies.pairs());
    std::vector<float> sin(frequencies.pairs());
    for (std::size_t i = 0; i < positions.size(); ++i) {
      frequencies.angles(static_cast<std::int64_t>(positions[i]), cos, sin);
      const auto expected_cos = units.at(kind + ".cos").row(static_cast<std::int64_t>(i));
      const auto expected_sin = units.at(kind + ".sin").row(static_cast<std::int64_t>(i));
      for (std::size_t k = 0; k < cos.size(); ++k) {
        CHECK(std::abs(cos[k] - expected_cos[k]) <= kAngleBound);
        CHECK(std::abs(sin[k] - expected_sin[k]) <= kAngleBound);
      }
    }
  }
}
