// Reading the residual streams into a sub-block and writing its output back (v4-spec §2.2, §2.3,
// §2.8).
#pragma once

#include "engine/local/products.hpp"
#include "engine/model/weights.hpp"

#include <vector>

namespace fathom::engine {

/// Streams are rows of hc * d values, stream-major.
class HyperConnections {
 public:
  HyperConnections(const ModelConfig& config, ProductRunner& products)
      : c_(config), products_(products) {}

  /// Computes the maps of `hc` from the streams, and u = sum_i pre[i] X[i] for each row.
  void read(const HyperConnection& hc, const Rows& streams, const Rows& u);
  /// X'[j] = post[j] y + sum_i comb[i][j] X[i], with the maps of the last read.
  void write(const Rows& output, const Rows& streams);
  /// The collapse in front of the vocabulary, which has read weights only.
  void read_head(const OutputHead& head, const Rows& streams, const Rows& u);

  /// post and comb of one row of the last read, for tests.
  [[nodiscard]] const float* post(std::int64_t row) const {
    return maps_ + row * c_.hc_rows() + c_.hc_mult;
  }
  [[nodiscard]] const float* comb(std::int64_t row) const {
    return maps_ + row * c_.hc_rows() + 2 * c_.hc_mult;
  }

 private:
  void multiply(const WeightMatrix& fn, const Rows& streams);
  void collapse(const float* pre, const float* streams, float* u) const;

  const ModelConfig& c_;
  ProductRunner& products_;
  PreparedRows prepared_;
  FloatBuffer maps_buffer_;
  float* maps_ = nullptr;  ///< [rows][fn.rows]: pre, post and comb after read
  FloatBuffer next_buffer_;
};

/// §2.2 step 7 on an n x n matrix in place, n <= kSinkhornMax.
constexpr std::int64_t kSinkhornMax = 8;
void sinkhorn(float* matrix, std::int64_t n, std::int64_t iterations, float eps);

}  // namespace fathom::engine
