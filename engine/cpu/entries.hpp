// How one entry of the KV cache and one key of the indexer are stored (v4-spec §3.1, §3.2).
#pragma once

#include <cstddef>
#include <cstdint>

namespace fathom::engine {

enum class KvFormat : std::uint8_t {
  f32,     ///< plain floats: mode `exact`
  packed,  ///< the native FP8 or FP4 bytes: mode `official`, without loss
};

constexpr std::int64_t kKvScaleBlock = 64;
constexpr std::int64_t kIndexScaleBlock = 32;

/// The dims of one KV latent: first those stored as fp8, then the rope dims stored as bf16.
/// fp8_dims is a multiple of 64, the sum a multiple of 16 and at most kKvDimsMax.
struct KvShape {
  std::int64_t fp8_dims = 0;
  std::int64_t bf16_dims = 0;

  [[nodiscard]] constexpr std::int64_t dims() const { return fp8_dims + bf16_dims; }
};

constexpr std::int64_t kKvDimsMax = 1024;

/// Where the bf16 dims stand in a packed entry: behind codes and scales, at a multiple of 8.
constexpr std::int64_t kv_bf16_offset(KvShape shape) {
  return (shape.fp8_dims + shape.fp8_dims / kKvScaleBlock + 7) / 8 * 8;
}

/// 448 codes + 7 scales + 1 pad + 64 bf16 = 584 for V4.
constexpr std::int64_t kv_entry_bytes(KvFormat format, KvShape shape) {
  return format == KvFormat::f32 ? 4 * shape.dims() : kv_bf16_offset(shape) + 2 * shape.bf16_dims;
}

/// 64 bytes of codes (element 2j in the low nibble) + 4 scales for 128 dims.
constexpr std::int64_t index_key_bytes(KvFormat format, std::int64_t dims) {
  return format == KvFormat::f32 ? 4 * dims : dims / 2 + dims / kIndexScaleBlock;
}

}  // namespace fathom::engine
