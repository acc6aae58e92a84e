// A weight matrix of plain floats that a test fills by hand.
#pragma once

#include "engine/model/weight_matrix.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fathom::test {

struct PlainMatrix {
  PlainMatrix(std::int64_t row_count, std::int64_t col_count)
      : rows(row_count),
        cols(col_count),
        values(static_cast<std::size_t>(row_count) * static_cast<std::size_t>(col_count)) {}

  [[nodiscard]] float& at(std::int64_t row, std::int64_t col) {
    return values[static_cast<std::size_t>(row * cols + col)];
  }
  /// Ones at (first_row + i, first_col + i) for i < count.
  void set_diagonal(std::int64_t count, std::int64_t first_row = 0, std::int64_t first_col = 0,
                    float value = 1) {
    for (std::int64_t i = 0; i < count; ++i) at(first_row + i, first_col + i) = value;
  }
  void clear() { values.assign(values.size(), 0.0F); }

  /// Valid until the matrix is gone.
  [[nodiscard]] engine::WeightMatrix view() const {
    return {engine::WeightFormat::f32, rows, cols,
            reinterpret_cast<const std::byte*>(values.data()), nullptr};
  }

  std::int64_t rows;
  std::int64_t cols;
  std::vector<float> values;
};

}  // namespace fathom::test
