#include "engine/cpu/reference_math.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fathom::engine::reference {

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

Values product(const WeightMatrix& matrix, std::span<const float> x) {
  Values out(static_cast<std::size_t>(matrix.rows));
  Values row(static_cast<std::size_t>(matrix.cols));
  for (std::size_t r = 0; r < out.size(); ++r) {
    dequantize_row(matrix, static_cast<std::int64_t>(r), row);
    out[r] = static_cast<float>(dot(row, x));
  }
  return out;
}

double inverse_rms(std::span<const float> x, double eps) {
  return 1 / std::sqrt(dot(x, x) / static_cast<double>(x.size()) + eps);
}

Values rms(std::span<const float> x, std::span<const float> w, double eps) {
  const double r = inverse_rms(x, eps);
  Values out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    out[i] = static_cast<float>((w.empty() ? 1.0 : static_cast<double>(w[i])) *
                                static_cast<double>(x[i]) * r);
  return out;
}

void rope(std::span<float> head, const RopeFrequencies& frequencies, std::int64_t position,
          Turn turn) {
  const std::size_t pairs = frequencies.pairs();
  Values cos(pairs);
  Values sin(pairs);
  frequencies.angles(position, cos, sin);
  const auto tail = head.last(2 * pairs);
  for (std::size_t k = 0; k < pairs; ++k) {
    const float s = turn == Turn::inverse ? -sin[k] : sin[k];
    const float x0 = tail[2 * k];
    const float x1 = tail[2 * k + 1];
    tail[2 * k] = x0 * cos[k] - x1 * s;
    tail[2 * k + 1] = x0 * s + x1 * cos[k];
  }
}

void hadamard(std::span<float> x) {
  for (std::size_t half = 1; half < x.size(); half *= 2)
    for (std::size_t i = 0; i < x.size(); ++i)
      if ((i & half) == 0) {
        const float a = x[i];
        const float b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
      }
  const float scale = 1.0F / std::sqrt(static_cast<float>(x.size()));
  for (float& value : x) value *= scale;
}

void sinkhorn(std::span<float> matrix, std::int64_t iterations, double eps) {
  const auto n =
      static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(matrix.size()))));
  std::vector<double> m(matrix.begin(), matrix.end());
  const auto rows = [&] {
    for (std::size_t i = 0; i < n; ++i) {
      double sum = eps;
      for (std::size_t j = 0; j < n; ++j) sum += m[i * n + j];
      for (std::size_t j = 0; j < n; ++j) m[i * n + j] /= sum;
    }
  };
  const auto columns = [&] {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = eps;
      for (std::size_t i = 0; i < n; ++i) sum += m[i * n + j];
      for (std::size_t i = 0; i < n; ++i) m[i * n + j] /= sum;
    }
  };
  for (std::size_t i = 0; i < n; ++i) {  // softmax over the row, then eps on every entry
    const auto row = std::span(m).subspan(i * n, n);
    const double highest = *std::ranges::max_element(row);
    double sum = 0;
    for (double& value : row) sum += value = std::exp(value - highest);
    for (double& value : row) value = value / sum + eps;
  }
  columns();
  for (std::int64_t i = 1; i < iterations; ++i) {
    rows();
    columns();
  }
  std::ranges::transform(m, matrix.begin(), [](double value) { return static_cast<float>(value); });
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return x > 20 ? x : std::log1p(std::exp(x)); }
double silu(double x) { return x * sigmoid(x); }

std::vector<std::size_t> top_k(std::span<const float> scores, std::size_t count) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  });
  order.resize(std::min(count, order.size()));
  std::ranges::sort(order);
  return order;
}

}  // namespace fathom::engine::reference
