#include "engine/cpu/matmul.hpp"

#include "engine/cpu/prepared_layout.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

// Without packing a chunk is 64 KiB of weights, about 4 us of one core's memory bandwidth; with it,
// the rows that are packed together (matmul_gemm.hpp), or half of them where threads would go idle.
constexpr std::int64_t kChunkBytes = 64 * 1024;
constexpr std::int64_t kGemvRows = 4;
constexpr std::int64_t kGemmRows = 64;
constexpr std::int64_t kManyRows = 1024;

}  // namespace

std::int64_t matmul_grain(const WeightMatrix& w, std::int64_t n) {
  if (n > kDirectVectors) return w.rows < kManyRows ? kGemmRows / 2 : kGemmRows;
  const std::int64_t rows = kChunkBytes / std::max<std::int64_t>(row_bytes(w.format, w.cols), 1);
  return std::max<std::int64_t>(rows / kGemvRows, 1) * kGemvRows;
}

void matmul(ThreadPool& pool, const Kernels& kernels, const WeightMatrix& w,
            const PreparedActivations& x, MatrixOutput y) {
  pool.parallel_for(w.rows, matmul_grain(w, x.n), [&](std::int64_t begin, std::int64_t end) {
    kernels.matmul_rows(w, {begin, end}, x, y);
  });
}

}  // namespace fathom::engine
