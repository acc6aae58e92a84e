// Checkpoints with random weights in the official format, for tests and benchmarks: nothing to say,
// but every path to walk and the release's bytes to read.
#pragma once

#include "engine/model/config.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

/// A shape by name: "tiny" (under 2 MB, every kind of layer) or "mini" (12 layers, 2.9 billion
/// parameters, 1.7 GB: what engine.md compares engines on).
Result<ModelConfig> named_shape(std::string_view name);
std::vector<std::string_view> shape_names();

struct RandomModelOptions {
  std::uint64_t seed = 1;
  std::uint64_t shard_bytes_max = std::uint64_t{2} << 30;
  /// Called with the bytes written so far and in all.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

/// Writes config.json, model-*.safetensors and their index into `dir`, which must be absent or
/// empty. Weights have the spread of trained ones, so that activations keep their size from layer
/// to layer. The same seed gives the same bytes on every machine.
Result<> write_random_model(const ModelConfig& config, const std::filesystem::path& dir,
                            const RandomModelOptions& options);

/// Bytes that write_random_model would write.
[[nodiscard]] std::uint64_t checkpoint_bytes(const ModelConfig& config);

}  // namespace fathom::engine
