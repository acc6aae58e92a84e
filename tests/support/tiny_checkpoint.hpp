// A checkpoint with random weights of the smallest shape and a tokenizer, in a folder of its own.
#pragma once

#include "engine/model/random_model.hpp"
#include "engine/model/weights.hpp"
#include "engine/text/byte_tokenizer.hpp"
#include "engine/text/tokenizer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <random>
#include <vector>

namespace fathom::test {

class TinyCheckpoint {
 public:
  TinyCheckpoint() {
    const auto written =
        engine::write_random_model(engine::named_shape("tiny").value(), path(), {});
    if (!written) FAIL(written.error().message);
  }

  [[nodiscard]] std::filesystem::path path() const { return dir_ / "m"; }
  [[nodiscard]] engine::Weights load() const { return engine::Weights::load(path()).value(); }

  /// For all ids of a model of `size` logits.
  [[nodiscard]] static engine::Tokenizer tokenizer(std::int64_t size) {
    return engine::Tokenizer::create(engine::byte_tokenizer(static_cast<std::size_t>(size)).value())
        .value();
  }

 private:
  TempDir dir_;
};

/// Random ids, without begin and end of sentence.
inline std::vector<engine::TokenId> random_tokens(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<engine::TokenId> out(size);
  for (engine::TokenId& token : out) token = static_cast<engine::TokenId>(2 + random() % 500);
  return out;
}

}  // namespace fathom::test
