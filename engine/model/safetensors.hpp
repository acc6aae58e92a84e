// The safetensors container: a JSON header that places named tensors in the bytes behind it.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

enum class TensorType : std::uint8_t { f32, bf16, f16, f8_e4m3, f8_e8m0, i8, u8, i32, i64 };

[[nodiscard]] std::string_view name_of(TensorType type);  ///< as in the file: "F8_E4M3"
[[nodiscard]] std::size_t bytes_of(TensorType type);      ///< of one element

/// A named view of bytes of the file. The file's bytes outlive it.
struct Tensor {
  std::string name;
  TensorType type{};
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< row-major, little-endian, not necessarily aligned
};

constexpr std::size_t kSafetensorsHeaderBytesMax = 100 << 20;  // the format's own bound
constexpr std::size_t kTensorRankMax = 8;

/// Reads the header. Every offset is checked against the file and its tensor's size, and no two
/// tensors overlap, so that a view can be read without further thought. In the file's order.
Result<std::vector<Tensor>> parse_safetensors(std::span<const std::byte> file);

/// One tensor to write: `bytes` is appended by the caller.
struct TensorHead {
  std::string name;
  TensorType type{};
  std::vector<std::int64_t> shape;
};

/// The length and JSON header for tensors stored one behind the other, padded to 64 bytes.
[[nodiscard]] std::string safetensors_header(std::span<const TensorHead> tensors);

/// Elements of a shape; -1 when it is negative somewhere or does not fit.
[[nodiscard]] std::int64_t element_count(std::span<const std::int64_t> shape);

/// "[128, 64]"
[[nodiscard]] std::string to_string(std::span<const std::int64_t> shape);

}  // namespace fathom::engine
