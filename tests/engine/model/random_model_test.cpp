#include "engine/model/random_model.hpp"

#include "engine/model/weights.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace fathom;
using namespace fathom::engine;

TEST_CASE("a random model is a whole checkpoint of its shape", "[engine]") {
  const test::TempDir dir;
  const ModelConfig config = named_shape("tiny").value();
  std::uint64_t last = 0;
  RandomModelOptions options{.seed = 3, .shard_bytes_max = 500'000, .progress = {}};
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    CHECK(done > last);
    CHECK(total == checkpoint_bytes(config));
    last = done;
  };
  const auto written = write_random_model(config, dir / "model", options);
  if (!written) FAIL(written.error().message);
  CHECK(last == checkpoint_bytes(config));
  const auto weights = Weights::load(dir / "model");
  if (!weights) FAIL(weights.error().message);
  CHECK(weights->config == config);
  CHECK(weights->checkpoint.bytes() == checkpoint_bytes(config));
}

TEST_CASE("the seed decides the bytes", "[engine]") {
  const test::TempDir dir;
  const ModelConfig config = named_shape("tiny").value();
  for (const auto& [name, seed] : {std::pair{"a", 1U}, {"b", 1U}, {"c", 2U}}) {
    RandomModelOptions options;
    options.seed = seed;
    REQUIRE(write_random_model(config, dir / name, options));
  }
  const auto bytes = [&](const char* name) {
    return test::slurp(dir.path() / name / "model-00001-of-00001.safetensors");
  };
  CHECK(bytes("a") == bytes("b"));
  CHECK(bytes("a") != bytes("c"));
}

TEST_CASE("nothing is written over what is there, and shapes have names", "[engine]") {
  const test::TempDir dir;
  dir.write("precious", "x");
  CHECK(write_random_model(named_shape("tiny").value(), dir.path(), {}).error().code ==
        ErrorCode::in_use);
  CHECK(named_shape("tniy").error().message == "unknown shape 'tniy' (did you mean 'tiny'?)");
  CHECK(named_shape("7").error().message == "unknown shape '7' (there are tiny and mini)");
  CHECK(validate(named_shape("mini").value()).has_value());
}
