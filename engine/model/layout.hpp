// Which tensors a checkpoint of a given configuration has: names, shapes and the formats a release
// stores them in (v4-spec §5.1). Reading, checking, writing and counting all go by this one list.
#pragma once

#include "engine/model/checkpoint.hpp"
#include "engine/model/config.hpp"
#include "runtime/base/result.hpp"

#include <string>
#include <vector>

namespace fathom::engine {

/// What a tensor is for decides the formats it may come in.
enum class TensorRole : std::uint8_t {
  linear,  ///< F8_E4M3 with 128 x 128 scales, or BF16 or F32
  expert,  ///< I8 (two FP4 a byte) with scales for 32 inputs, or as linear
  matrix,  ///< BF16 or F32
  values,  ///< BF16 or F32, read into memory: norms, biases, positions, hyper-connection parameters
  table,   ///< I64 or I32: experts by token id
};

struct PlannedTensor {
  std::string name;
  TensorRole role{};
  std::vector<std::int64_t> shape;  ///< logical: FP4 counts elements, not bytes
  TensorType stored{};              ///< as a release stores it
  bool optional = false;  ///< duplicates of other tensors, which some re-uploads leave out
};

/// In the order of the forward pass. With MTP when the configuration has it.
[[nodiscard]] std::vector<PlannedTensor> plan_tensors(const ModelConfig& config);

constexpr std::size_t kLayoutProblemsShownMax = 12;

/// Compares names, types and shapes before any work. The error lists what is missing, unknown or
/// misshapen.
Result<> check_layout(const Checkpoint& checkpoint, const ModelConfig& config);

/// Tensors that a release stores as F32 and this checkpoint, which check_layout lets pass, as BF16:
/// somebody saved it again and lost their last bits.
[[nodiscard]] std::vector<std::string> narrowed_tensors(const Checkpoint& checkpoint,
                                                        const ModelConfig& config);

/// "a.b.weight" -> "a.b.scale"
[[nodiscard]] std::string scale_name(std::string_view weight_name);

}  // namespace fathom::engine
