// What the weights are, by content and never by name of file: equal for the same tensors in other
// shards, different for any changed byte. KV of one fingerprint is worthless to another.
#pragma once

#include "engine/model/checkpoint.hpp"
#include "engine/model/config.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fathom::engine {

struct ScanReport {
  std::string fingerprint;  ///< 32 hex digits
  std::vector<std::string>
      problems;  ///< "layers.3.…: element 17 is NaN", the first kScanProblemsMax
  std::uint64_t problem_count = 0;
};

constexpr std::size_t kScanProblemsMax = 20;

/// The first element that is no number, if any; `bytes` holds whole elements.
[[nodiscard]] std::optional<std::size_t> first_not_a_number(TensorType type,
                                                            std::span<const std::byte> bytes);

/// Scales are E8M0, also where a file calls them U8.
[[nodiscard]] bool is_scale(const Tensor& tensor);

/// Reads every byte of every tensor, once, in name order: its hash, and whether its values are
/// numbers (F32 and BF16 finite, no NaN codes of F8_E4M3 or F8_E8M0). `progress` gets bytes done
/// and in all.
ScanReport scan_weights(
    const Checkpoint& checkpoint,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

}  // namespace fathom::engine
