#include "engine/cpu/matmul.hpp"

#include "engine/cpu/prepared_layout.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

// Without packing a chunk is one thread's stream of weights, and each beginning costs a trip to
// memory: of two threads, chunks of 64 KiB reach 0.70 of the read bandwidth with FP4 and chunks of
// 256 KiB 0.77. But eight a thread, so that they end together. With packing a chunk is the rows
// that are packed together (matmul_gemm.hpp), or half of them where threads would go idle.
constexpr std::int64_t kChunkBytesMin = 32 * 1024;
constexpr std::int64_t kChunkBytesMax = 512 * 1024;
constexpr std::int64_t kChunksPerThread = 8;
constexpr std::int64_t kGemvRows = 4;
constexpr std::int64_t kGemmRows = 64;
constexpr std::int64_t kManyRows = 1024;

}  // namespace

std::int64_t matmul_grain(const WeightMatrix& w, std::int64_t n, std::int64_t bytes,
                          unsigned threads) {
  if (n > kDirectVectors) return w.rows < kManyRows ? kGemmRows / 2 : kGemmRows;
  const std::int64_t row = std::max<std::int64_t>(row_bytes(w.format, w.cols), 1);
  const std::int64_t chunk =
      std::clamp(bytes / (threads * kChunksPerThread), kChunkBytesMin, kChunkBytesMax);
  return std::max<std::int64_t>(chunk / row / kGemvRows, 1) * kGemvRows;
}

void matmul(ThreadPool& pool, const Kernels& kernels, const WeightMatrix& w,
            const PreparedActivations& x, MatrixOutput y) {
  pool.parallel_for(
      w.rows, matmul_grain(w, x.n, w.rows * row_bytes(w.format, w.cols), pool.threads()),
      [&](std::int64_t begin, std::int64_t end) { kernels.matmul_rows(w, {begin, end}, x, y); });
}

}  // namespace fathom::engine
