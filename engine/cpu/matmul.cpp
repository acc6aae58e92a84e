#include "engine/cpu/matmul.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

// With one vector a chunk is 64 KiB of weights, about 4 us of one core's memory bandwidth; with
// many it is a panel of rows (matmul_gemm.hpp), decoded once for all of them.
constexpr std::int64_t kChunkBytes = 64 * 1024;
constexpr std::int64_t kGemmRows = 64;
constexpr std::int64_t kGemvRows = 4;

}  // namespace

std::int64_t matmul_grain(const WeightMatrix& w, std::int64_t n) {
  const std::int64_t rows = kChunkBytes / std::max<std::int64_t>(row_bytes(w.format, w.cols), 1);
  const std::int64_t whole = std::max<std::int64_t>(rows / kGemvRows, 1) * kGemvRows;
  return n <= 2 ? whole : std::min(kGemmRows, std::max<std::int64_t>(whole, 16));
}

void matmul(ThreadPool& pool, const Kernels& kernels, const WeightMatrix& w,
            const PreparedActivations& x, MatrixOutput y) {
  pool.parallel_for(w.rows, matmul_grain(w, x.n), [&](std::int64_t begin, std::int64_t end) {
    kernels.matmul_rows(w, {begin, end}, x, y);
  });
}

}  // namespace fathom::engine
