#include "engine/local/products.hpp"

#include "engine/cpu/matmul.hpp"

#include <algorithm>

namespace fathom::engine {

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

void round_activations(Numerics numerics, float* data, std::int64_t count) {
  constexpr std::int64_t kGroup = 128;
  if (numerics == Numerics::official) kernels().fp8_quantize(data, count, kGroup);
}

void ProductRunner::add(const WeightMatrix& matrix, PreparedRows& x, const Rows& y) {
  add({&matrix, {0, matrix.rows}, x.get(matrix.format, pool_), {y.data, y.width}});
}

void ProductRunner::run() {
  if (products_.empty()) return;
  std::int64_t bytes = 0;
  for (const Product& product : products_)
    bytes += (product.rows.end - product.rows.begin) *
             row_bytes(product.matrix->format, product.matrix->cols);
  chunks_.clear();
  std::int64_t count = 0;
  for (const Product& product : products_) {
    const std::int64_t rows = product.rows.end - product.rows.begin;
    const std::int64_t grain = matmul_grain(*product.matrix, product.x.n, bytes, pool_.threads());
    chunks_.push_back({count, grain});
    count += (rows + grain - 1) / grain;
  }
  const auto& multiply = kernels().matmul_rows;
  pool_.parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      const auto next = std::ranges::upper_bound(chunks_, chunk, {}, &Chunks::first);
      const auto index = static_cast<std::size_t>(next - chunks_.begin() - 1);
      const Product& product = products_[index];
      const auto [first, rows] = chunks_[index];
      const std::int64_t row = product.rows.begin + (chunk - first) * rows;
      multiply(*product.matrix, {row, std::min(row + rows, product.rows.end)}, product.x,
               product.y);
    }
  });
  products_.clear();
}

}  // namespace fathom::engine
