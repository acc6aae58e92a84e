// Golden vectors of the V4 mathematics: a tiny checkpoint, its input and what the official model
// computed from it. Ours travel in tests/golden/v4; more are read from $FATHOM_VECTORS/v4 (by
// default ../shared/vectors) when there.
#pragma once

#include "engine/model/safetensors.hpp"
#include "tests/support/vectors.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

/// Names of the sets in `dir`, sorted.
std::vector<std::string> golden_sets(const std::filesystem::path& dir);

struct ExpectedTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  ///< I32 as f32: ids are small

  /// Values of one index of the first dimension.
  [[nodiscard]] std::span<const float> row(std::int64_t index) const;
  [[nodiscard]] float largest() const;
};

struct Golden {
  std::string name;
  std::filesystem::path dir;
  std::vector<std::int64_t> ids;
  std::vector<std::vector<std::int64_t>> chunk_schedules;
  struct Greedy {
    std::int64_t prompt_tokens = 0;
    std::vector<std::int64_t> tokens;
  } greedy;

  /// Reads inputs.json; throws with what is wrong.
  static Golden load(const std::filesystem::path& dir);
  /// The checkpoints of the set: quant/, and bf16/ where there is one.
  [[nodiscard]] std::vector<std::filesystem::path> checkpoints() const;
};

using ExpectedTensors = std::map<std::string, ExpectedTensor, std::less<>>;

/// A safetensors file of F32 and I32 tensors; throws with what is wrong.
ExpectedTensors read_expected(const std::filesystem::path& file);

/// The row of an expected tensor that holds `position`, by the rules of the vectors' README; -1:
/// not stored.
std::int64_t expected_row(const ExpectedTensors& expected, std::string_view name,
                          std::int64_t position);

}  // namespace fathom::test
