#include "engine/cpu/matmul.hpp"

#include "tests/engine/cpu/canonical.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <string>

using namespace fathom::engine;
using namespace fathom::test;

namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::f32, WeightFormat::bf16, WeightFormat::fp8,
                                     WeightFormat::fp4};

struct Shape {
  std::int64_t rows;
  std::int64_t cols;
};

// Whole blocks, tails, single blocks, partial scale blocks, more than one group of scales.
constexpr Shape kShapes[] = {{7, 128}, {131, 256}, {5, 32}, {66, 1024}, {9, 704}, {3, 96}};
constexpr std::int64_t kCounts[] = {1, 2, 3, 4, 7, 16, 17, 23, 101};

std::vector<float> canonical(const WeightMatrix& w, const std::vector<float>& x) {
  std::vector<float> y;
  for (std::size_t at = 0; at < x.size(); at += static_cast<std::size_t>(w.cols))
    for (std::int64_t row = 0; row < w.rows; ++row)
      y.push_back(canonical_product(w, row, x.data() + at));
  return y;
}

struct Prepared {
  std::vector<float> buffer;
  PreparedActivations view;

  Prepared(const WeightMatrix& w, const std::vector<float>& x) {
    const std::int64_t n = static_cast<std::int64_t>(x.size()) / w.cols;
    buffer.resize(static_cast<std::size_t>(prepared_floats(n, w.cols)));
    view = prepare_activations(w.format, {x.data(), n, w.cols, w.cols}, buffer.data());
  }
};

std::vector<float> product(const Kernels& kernels, const WeightMatrix& w,
                           const PreparedActivations& x, std::int64_t grain) {
  std::vector<float> y(static_cast<std::size_t>(x.n * w.rows), -1.0f);
  for (std::int64_t row = 0; row < w.rows; row += grain)
    kernels.matmul_rows(w, {row, std::min(row + grain, w.rows)}, x, {y.data(), w.rows});
  return y;
}

}  // namespace

TEST_CASE("products have the canonical bits on every instruction set, batch and range",
          "[engine]") {
  for (WeightFormat format : kFormats) {
    for (const Shape shape : kShapes) {
      const OwnedMatrix w = random_matrix(format, shape.rows, shape.cols, 7);
      for (const std::int64_t n : kCounts) {
        const std::vector<float> x = random_vectors(n, shape.cols, 11);
        const Prepared prepared(w.view, x);
        const std::vector<float> expected = canonical(w.view, x);
        for (const Kernels* kernels : all_kernels()) {
          INFO(name_of(kernels->isa) << " format " << static_cast<int>(format) << " rows "
                                     << shape.rows << " cols " << shape.cols << " n " << n);
          for (const std::int64_t grain : {shape.rows, std::int64_t{5}})
            REQUIRE(same_bits(product(*kernels, w.view, prepared.view, grain), expected));
        }
      }
    }
  }
}

TEST_CASE("a product of many vectors equals the products of each", "[engine]") {
  for (WeightFormat format : kFormats) {
    const OwnedMatrix w = random_matrix(format, 130, 640, 3);
    const std::vector<float> x = random_vectors(67, 640, 5);
    const Prepared many(w.view, x);
    const Kernels& kernels = *all_kernels().back();
    const std::vector<float> expected = product(kernels, w.view, many.view, 130);
    for (std::size_t t = 0; t < 67; ++t) {
      const std::vector<float> one(x.begin() + static_cast<long>(t * 640),
                                   x.begin() + static_cast<long>(t * 640 + 640));
      const Prepared single(w.view, one);
      const std::vector<float> y = product(kernels, w.view, single.view, 130);
      REQUIRE(same_bits(y, {expected.data() + t * 130, 130}));
    }
  }
}

TEST_CASE("odd columns of bf16 and f32 are summed without reading behind the row", "[engine]") {
  for (WeightFormat format : {WeightFormat::f32, WeightFormat::bf16, WeightFormat::fp8}) {
    for (const std::int64_t cols : {1, 8, 17, 129, 200}) {
      const OwnedMatrix w = random_matrix(format, 3, cols, 21);
      const std::vector<float> x = random_vectors(3, cols, 22);
      const Prepared prepared(w.view, x);
      for (const Kernels* kernels : all_kernels())
        REQUIRE(same_bits(product(*kernels, w.view, prepared.view, 3), canonical(w.view, x)));
    }
  }
}

TEST_CASE("products are as exact as f32 sums can be", "[engine]") {
  // 16 lanes, 8 steps a block: an error grows with cols / 16 roundings, not with cols.
  constexpr double kRoundings = 4096.0 / 16 + 8;
  for (WeightFormat format : kFormats) {
    const OwnedMatrix w = random_matrix(format, 16, 4096, 31);
    const std::vector<float> x = random_vectors(1, 4096, 32);
    const Prepared prepared(w.view, x);
    const std::vector<float> y = product(*all_kernels().back(), w.view, prepared.view, 16);
    for (std::int64_t row = 0; row < 16; ++row) {
      const Exact exact = exact_product(w.view, row, x.data());
      const double error = std::fabs(y[static_cast<std::size_t>(row)] - exact.value);
      CHECK(error <= kRoundings * 0x1p-24 * exact.magnitude);
    }
  }
}

TEST_CASE("any number of threads gives the same product", "[engine]") {
  for (WeightFormat format : kFormats) {
    const OwnedMatrix w = random_matrix(format, 600, 512, 41);
    for (const std::int64_t n : {1, 20}) {
      const std::vector<float> x = random_vectors(n, 512, 42);
      const Prepared prepared(w.view, x);
      const Kernels& kernels = *all_kernels().back();
      const std::vector<float> expected = product(kernels, w.view, prepared.view, 600);
      for (unsigned threads = 1; threads <= 4; ++threads) {
        ThreadPool pool(threads);
        std::vector<float> y(expected.size());
        matmul(pool, kernels, w.view, prepared.view, {y.data(), 600});
        REQUIRE(same_bits(y, expected));
      }
    }
  }
}
