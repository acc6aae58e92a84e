#include "engine/local/hyper_connections.hpp"

#include "engine/cpu/scalar_math.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace fathom::engine {

void sinkhorn(float* m, std::int64_t n, std::int64_t iterations, float eps) {
  for (std::int64_t i = 0; i < n; ++i) {
    float* row = m + i * n;
    const float highest = *std::max_element(row, row + n);
    float sum = 0;
    for (std::int64_t j = 0; j < n; ++j) sum += row[j] = engine::exp(row[j] - highest);
    for (std::int64_t j = 0; j < n; ++j) row[j] = row[j] / sum + eps;
  }
  for (std::int64_t iteration = 0; iteration < iterations; ++iteration) {
    for (std::int64_t i = 0; iteration > 0 && i < n; ++i) {
      float sum = eps;
      for (std::int64_t j = 0; j < n; ++j) sum += m[i * n + j];
      for (std::int64_t j = 0; j < n; ++j) m[i * n + j] /= sum;
    }
    for (std::int64_t j = 0; j < n; ++j) {
      float sum = eps;
      for (std::int64_t i = 0; i < n; ++i) sum += m[i * n + j];
      for (std::int64_t i = 0; i < n; ++i) m[i * n + j] /= sum;
    }
  }
}

/// maps = (fn v) / rms(v) for every row.
void HyperConnections::multiply(const WeightMatrix& fn, const Rows& streams) {
  maps_ = maps_buffer_.get(streams.n * fn.rows);
  prepared_.reset(streams.activations());
  products_.add(fn, prepared_, {maps_, streams.n, fn.rows});
  products_.run();
  for (std::int64_t r = 0; r < streams.n; ++r) {
    const float* v = streams.row(r);
    const float mean = kernels().dot(v, v, streams.width) / static_cast<float>(streams.width);
    const float inverse = 1 / std::sqrt(mean + static_cast<float>(c_.norm_eps));
    for (std::int64_t i = 0; i < fn.rows; ++i) maps_[r * fn.rows + i] *= inverse;
  }
}

void HyperConnections::collapse(const float* pre, const float* streams, float* u) const {
  std::array<const float*, kSinkhornMax> rows{};
  for (std::int64_t i = 0; i < c_.hc_mult; ++i)
    rows[static_cast<std::size_t>(i)] = streams + i * c_.hidden_size;
  kernels().combine(rows.data(), pre, c_.hc_mult, c_.hidden_size, u);
}

void HyperConnections::read(const HyperConnection& hc, const Rows& streams, const Rows& u) {
  const std::int64_t n = c_.hc_mult;
  const auto eps = static_cast<float>(c_.hc_eps);
  multiply(hc.fn, streams);
  products_.pool().parallel_for(streams.n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      float* map = maps_ + r * c_.hc_rows();
      for (std::int64_t i = 0; i < c_.hc_rows(); ++i) {
        const auto part = static_cast<std::size_t>(std::min<std::int64_t>(i / n, 2));
        map[i] = map[i] * hc.scale[part] + hc.base[static_cast<std::size_t>(i)];
      }
      for (std::int64_t i = 0; i < n; ++i) {
        map[i] = sigmoid(map[i]) + eps;
        map[n + i] = 2 * sigmoid(map[n + i]);
      }
      sinkhorn(map + 2 * n, n, c_.sinkhorn_iters, eps);
      collapse(map, streams.row(r), u.row(r));
    }
  });
}

void HyperConnections::write(const Rows& output, const Rows& streams) {
  const std::int64_t n = c_.hc_mult;
  const std::int64_t d = c_.hidden_size;
  float* next = next_buffer_.get(streams.n * streams.width);
  products_.pool().parallel_for(streams.n, 1, [&](std::int64_t begin, std::int64_t end) {
    std::array<const float*, kSinkhornMax + 1> rows{};
    std::array<float, kSinkhornMax + 1> weights{};
    for (std::int64_t r = begin; r < end; ++r) {
      rows[0] = output.row(r);
      for (std::int64_t i = 0; i < n; ++i)
        rows[static_cast<std::size_t>(i + 1)] = streams.row(r) + i * d;
      for (std::int64_t j = 0; j < n; ++j) {
        weights[0] = post(r)[j];
        for (std::int64_t i = 0; i < n; ++i)
          weights[static_cast<std::size_t>(i + 1)] = comb(r)[i * n + j];
        kernels().combine(rows.data(), weights.data(), n + 1, d, next + r * streams.width + j * d);
      }
      std::memcpy(streams.row(r), next + r * streams.width,
                  static_cast<std::size_t>(streams.width) * sizeof(float));
    }
  });
}

void HyperConnections::read_head(const OutputHead& head, const Rows& streams, const Rows& u) {
  multiply(head.hc_fn, streams);
  for (std::int64_t r = 0; r < streams.n; ++r) {
    float* pre = maps_ + r * c_.hc_mult;
    for (std::int64_t i = 0; i < c_.hc_mult; ++i)
      pre[i] = sigmoid(pre[i] * head.hc_scale + head.hc_base[static_cast<std::size_t>(i)]) +
               static_cast<float>(c_.hc_eps);
    collapse(pre, streams.row(r), u.row(r));
  }
}

}  // namespace fathom::engine
