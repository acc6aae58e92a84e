// The files of a checkpoint as one set of named tensors, whatever shards they lie in.
#pragma once

#include "engine/model/mapped_file.hpp"
#include "engine/model/safetensors.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

constexpr std::size_t kCheckpointIndexBytesMax = 64 << 20;
constexpr std::size_t kCheckpointShardsMax = 4096;

class Checkpoint {
 public:
  /// Maps `dir`/model.safetensors.index.json and its shards, or `dir`/model.safetensors. Nothing of
  /// the tensors is read yet. Names lose an optional "model." in front; `.weight_scale_inv` reads
  /// `.scale` and `gate.e_score_correction_bias` reads `gate.bias` (v4-spec §5.1).
  static Result<Checkpoint> open(const std::filesystem::path& dir);

  [[nodiscard]] const Tensor* find(std::string_view name) const;
  /// By name, in order.
  [[nodiscard]] const std::map<std::string, Tensor, std::less<>>& tensors() const {
    return tensors_;
  }
  /// Bytes of all tensors.
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  Result<> add_file(const std::filesystem::path& path);
  Result<> add_shards(const std::filesystem::path& index);

  std::vector<MappedFile> files_;
  std::map<std::string, Tensor, std::less<>> tensors_;
};

}  // namespace fathom::engine
