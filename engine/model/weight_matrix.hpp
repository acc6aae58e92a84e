// A weight matrix as the checkpoint stores it: mapped, never expanded.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fathom::engine {

/// How a matrix's elements lie in the file (v4-spec §5.1). Rows are contiguous and row-major in all
/// of them.
enum class WeightFormat : std::uint8_t {
  f32,
  bf16,
  fp8,  ///< e4m3, one e8m0 scale for each 128 x 128 block
  fp4,  ///< e2m1, two a byte (element 2j in the low nibble), one e8m0 scale for 32 elements of a
        ///< row
};

constexpr std::int64_t kFp8Block = 128;
constexpr std::int64_t kFp4Block = 32;

/// `y = W x` for W [rows, cols]. A view: the mapping outlives it.
/// scales: fp8 [ceil(rows/128), ceil(cols/128)], fp4 [rows, cols/32] bytes b meaning 2^(b-127);
/// else null.
struct WeightMatrix {
  WeightFormat format = WeightFormat::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const std::byte* data = nullptr;
  const std::uint8_t* scales = nullptr;
};

/// Bytes of `cols` elements.
constexpr std::int64_t row_bytes(WeightFormat format, std::int64_t cols) {
  switch (format) {
    case WeightFormat::f32:
      return cols * 4;
    case WeightFormat::bf16:
      return cols * 2;
    case WeightFormat::fp8:
      return cols;
    case WeightFormat::fp4:
      return cols / 2;
  }
  return 0;
}

}  // namespace fathom::engine
