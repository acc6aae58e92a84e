// Matrix products of the forward pass on all threads. Products that do not need each other run side
// by side, so that a decode step waits for the threads a few times a layer and not once a matrix.
#pragma once

#include "engine/cpu/kernels.hpp"
#include "engine/cpu/thread_pool.hpp"
#include "engine/model/quant_formats.hpp"
#include "engine/model/weight_matrix.hpp"

#include <span>
#include <vector>

namespace fathom::engine {

/// y = W x for rows of W.
struct Product {
  const WeightMatrix* matrix = nullptr;
  RowRange rows;
  PreparedActivations x;
  MatrixOutput y;
};

/// Floats in memory that is aligned for the kernels and kept for the next call.
class FloatBuffer {
 public:
  /// At least `size` floats; what was there is lost when it grows.
  float* get(std::int64_t size);

 private:
  struct alignas(64) Line {
    float values[16];
  };
  std::vector<Line> lines_;
};

/// Vectors of one kind, a row for each token.
struct Rows {
  float* data = nullptr;
  std::int64_t n = 0;
  std::int64_t width = 0;

  [[nodiscard]] float* row(std::int64_t index) const { return data + index * width; }
  [[nodiscard]] Activations activations() const { return {data, n, width, width}; }
};

/// Activations of one place in the forward pass, prepared once for each format that reads them.
class PreparedRows {
 public:
  /// New activations: what was prepared before is void.
  void reset(const Activations& x) {
    x_ = x;
    ready_[0] = ready_[1] = ready_[2] = ready_[3] = false;
  }
  PreparedActivations get(WeightFormat format, ThreadPool& pool);

 private:
  Activations x_;
  bool ready_[4] = {};
  PreparedActivations prepared_[4];
  FloatBuffer buffers_[4];
};

/// What a linear with FP8 or FP4 weights reads in official numerics: groups of 128 rounded to the
/// FP8 grid (v4-spec §4.1); in exact numerics as they are.
void round_activations(Numerics numerics, float* data, std::int64_t count);

class ProductRunner {
 public:
  explicit ProductRunner(ThreadPool& pool) : pool_(pool) {}

  /// Adds all rows of a matrix.
  void add(const WeightMatrix& matrix, PreparedRows& x, const Rows& y);
  void add(const Product& product) { products_.push_back(product); }
  /// Computes what was added and forgets it.
  void run();

  [[nodiscard]] ThreadPool& pool() { return pool_; }

 private:
  ThreadPool& pool_;
  /// Where a product's chunks begin among all chunks, and how many rows each has.
  struct Chunks {
    std::int64_t first = 0;
    std::int64_t rows = 0;
  };

  std::vector<Product> products_;
  std::vector<Chunks> chunks_;
};

}  // namespace fathom::engine
