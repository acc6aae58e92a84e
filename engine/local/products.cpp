#include "engine/local/products.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

/// A chunk is what one thread takes at a time: enough work to be worth the taking (some ten
/// microseconds), little enough that the last chunk does not keep the others waiting.
constexpr std::int64_t kChunkBytes = 128 << 10;  // of weights, for one vector
constexpr std::int64_t kChunkRowsMin = 16;
constexpr std::int64_t kChunkRowsOfMany = 64;  // with many vectors a row of weights is work enough

std::int64_t rows_per_chunk(const Product& product) {
  if (product.x.n >= 16) return kChunkRowsOfMany;
  const std::int64_t bytes = row_bytes(product.matrix->format, product.matrix->cols) * product.x.n;
  const std::int64_t rows = kChunkBytes / std::max<std::int64_t>(bytes, 1);
  return std::max(rows / kChunkRowsMin * kChunkRowsMin, kChunkRowsMin);
}

std::int64_t chunks_of(const Product& product) {
  const std::int64_t rows = product.rows.end - product.rows.begin;
  const std::int64_t per_chunk = rows_per_chunk(product);
  return (rows + per_chunk - 1) / per_chunk;
}

}  // namespace

float* FloatBuffer::get(std::int64_t size) {
  const auto lines = static_cast<std::size_t>((size + 15) / 16);
  if (lines > lines_.size()) lines_.resize(lines);
  return lines_.empty() ? nullptr : lines_.front().values;
}

PreparedActivations PreparedRows::get(WeightFormat format, ThreadPool& pool) {
  const auto slot = static_cast<std::size_t>(format);
  if (ready_[slot]) return prepared_[slot];
  ready_[slot] = true;
  float* buffer = buffers_[slot].get(prepared_floats(x_.n, x_.cols));
  pool.parallel_for(x_.n, kPrepareGrain, [&](std::int64_t begin, std::int64_t end) {
    prepare_vectors(format, x_, {begin, end}, buffer);
  });
  prepared_[slot] = {buffer, x_.n, prepared_floats(1, x_.cols)};
  return prepared_[slot];
}

void ProductRunner::add(const WeightMatrix& matrix, PreparedRows& x, const Rows& y) {
  add({&matrix, {0, matrix.rows}, x.get(matrix.format, pool_), {y.data, y.width}});
}

void ProductRunner::run() {
  if (products_.empty()) return;
  first_chunk_.clear();
  std::int64_t count = 0;
  for (const Product& product : products_) {
    first_chunk_.push_back(count);
    count += chunks_of(product);
  }
  first_chunk_.push_back(count);
  const auto& multiply = kernels().matmul_rows;
  pool_.parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      const auto next = std::ranges::upper_bound(first_chunk_, chunk);
      const auto index = static_cast<std::size_t>(next - first_chunk_.begin() - 1);
      const Product& product = products_[index];
      const std::int64_t per_chunk = rows_per_chunk(product);
      const std::int64_t row = product.rows.begin + (chunk - first_chunk_[index]) * per_chunk;
      multiply(*product.matrix, {row, std::min(row + per_chunk, product.rows.end)}, product.x,
               product.y);
    }
  });
  products_.clear();
}

}  // namespace fathom::engine
