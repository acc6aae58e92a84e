#include "engine/cpu/row_kernels.hpp"

#include "engine/cpu/scalar_math.hpp"
#include "tests/engine/cpu/canonical.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

using namespace fathom::engine;
using namespace fathom::test;

namespace {

constexpr std::int64_t kLengths[] = {1, 7, 16, 31, 64, 129, 1000};

// What `kernel` makes of x, on each instruction set the same; the bits.
std::vector<float> on_all(std::vector<float> x,
                          const std::function<void(const Kernels&, std::vector<float>&)>& kernel) {
  std::vector<float> expected;
  for (const Kernels* kernels : all_kernels()) {
    std::vector<float> y = x;
    kernel(*kernels, y);
    if (kernels->isa == Isa::scalar) expected = y;
    INFO(name_of(kernels->isa) << " length " << x.size());
    CHECK(same_bits(y, expected));
  }
  return expected;
}

// Distance of two floats in representable values.
double ulps(float value, double exact) {
  const auto rounded = static_cast<float>(exact);
  if (value == rounded) return 0;
  const float next = std::nextafter(std::fabs(rounded), std::numeric_limits<float>::infinity());
  return std::fabs(value - exact) / (double{next} - std::fabs(rounded));
}

std::vector<float> spread(float from, float to, int count) {
  std::vector<float> x;
  for (int i = 0; i < count; ++i)
    x.push_back(from + (to - from) * static_cast<float>(i) / static_cast<float>(count - 1));
  return x;
}

}  // namespace

TEST_CASE("dot has the canonical bits on every instruction set", "[engine]") {
  for (const std::int64_t n : kLengths) {
    const std::vector<float> a = random_vectors(1, n, 1);
    const std::vector<float> b = random_vectors(1, n, 2);
    const float expected = canonical_dot(a.data(), b.data(), n);
    for (const Kernels* kernels : all_kernels())
      CHECK(std::bit_cast<std::uint32_t>(kernels->dot(a.data(), b.data(), n)) ==
            std::bit_cast<std::uint32_t>(expected));
  }
}

TEST_CASE("rms_norm divides by the root of the mean square", "[engine]") {
  for (const std::int64_t n : kLengths) {
    const std::vector<float> x = random_vectors(1, n, 3);
    const std::vector<float> weight = random_vectors(1, n, 4);
    const std::vector<float> y = on_all(x, [&](const Kernels& kernels, std::vector<float>& out) {
      kernels.rms_norm(out.data(), weight.data(), 1e-6f, n, out.data());
    });
    const float mean = canonical_dot(x.data(), x.data(), n) / static_cast<float>(n);
    const float factor = 1.0f / std::sqrt(mean + 1e-6f);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(y[i] == x[i] * factor * weight[i]);
    const std::vector<float> plain =
        on_all(x, [&](const Kernels& kernels, std::vector<float>& out) {
          kernels.rms_norm(out.data(), nullptr, 1e-6f, n, out.data());
        });
    CHECK(plain[0] == x[0] * factor);
  }
}

TEST_CASE("axpy and combine add by fused steps in order", "[engine]") {
  for (const std::int64_t n : kLengths) {
    const std::vector<float> x = random_vectors(3, n, 5);
    const float* rows[] = {x.data(), x.data() + n, x.data() + 2 * n};
    const float weights[] = {0.3f, -1.7f, 2.5f};
    const std::vector<float> y = on_all(std::vector<float>(static_cast<std::size_t>(n)),
                                        [&](const Kernels& kernels, std::vector<float>& out) {
                                          kernels.combine(rows, weights, 3, n, out.data());
                                        });
    const std::vector<float> z = on_all(y, [&](const Kernels& kernels, std::vector<float>& out) {
      kernels.axpy(0.7f, x.data(), n, out.data());
    });
    for (std::size_t i = 0; i < y.size(); ++i) {
      float sum = 0;
      for (int r = 0; r < 3; ++r) sum = std::fma(weights[r], rows[r][i], sum);
      CHECK(y[i] == sum);
      CHECK(z[i] == std::fma(0.7f, x[i], sum));
    }
  }
}

TEST_CASE("exp is right to 2 ulp, with subnormals, infinities and NaN", "[engine]") {
  std::vector<float> x = spread(-104, 89, 20011);
  x.insert(x.end(), {0.0f, -0.0f, -200.0f, 200.0f, std::numeric_limits<float>::infinity(),
                     -std::numeric_limits<float>::infinity()});
  const std::vector<float> y = on_all(x, [](const Kernels& kernels, std::vector<float>& out) {
    kernels.exp(out.data(), static_cast<std::int64_t>(out.size()));
  });
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(std::bit_cast<std::uint32_t>(y[i]) ==
          std::bit_cast<std::uint32_t>(fathom::engine::exp(x[i])));
    const double exact = std::exp(double{x[i]});
    if (exact < 3e38) worst = std::max(worst, ulps(y[i], exact));
  }
  CHECK(worst < 2);
  CHECK(std::isinf(fathom::engine::exp(89.0f)));
  CHECK(std::isnan(fathom::engine::exp(std::numeric_limits<float>::quiet_NaN())));
  for (const Kernels* kernels : all_kernels()) {
    float nan = std::numeric_limits<float>::quiet_NaN();
    kernels->exp(&nan, 1);
    CHECK(std::isnan(nan));
  }
}

TEST_CASE("sigmoid and softplus are right to a few ulp at both ends", "[engine]") {
  const std::vector<float> x = spread(-80, 80, 10007);
  const std::vector<float> s = on_all(x, [](const Kernels& kernels, std::vector<float>& out) {
    kernels.sigmoid(out.data(), static_cast<std::int64_t>(out.size()));
  });
  const std::vector<float> r = on_all(x, [](const Kernels& kernels, std::vector<float>& out) {
    kernels.sqrt_softplus(out.data(), static_cast<std::int64_t>(out.size()));
  });
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(s[i] == sigmoid(x[i]));
    CHECK(r[i] == std::sqrt(softplus(x[i])));
    worst = std::max(worst, ulps(s[i], 1 / (1 + std::exp(-double{x[i]}))));
    worst = std::max(worst, ulps(softplus(x[i]), std::log1p(std::exp(double{x[i]}))));
  }
  CHECK(worst < 4);
}

TEST_CASE("softmax sums to one", "[engine]") {
  for (const std::int64_t n : kLengths) {
    const std::vector<float> x = random_vectors(1, n, 6);
    const std::vector<float> y = on_all(x, [&](const Kernels& kernels, std::vector<float>& out) {
      kernels.softmax(out.data(), n);
    });
    double total = 0;
    for (float value : y) total += value;
    CHECK(std::fabs(total - 1) < 1e-5);
  }
}

TEST_CASE("swiglu clamps the gate above and the value on both sides", "[engine]") {
  const std::vector<float> up = {5, -5, 0.5f, 1, 1};
  const std::vector<float> y =
      on_all({1, 1, 1, 9, -9}, [&](const Kernels& kernels, std::vector<float>& out) {
        kernels.swiglu(out.data(), up.data(), {.limit = 2, .factor = 0.5f}, 5, out.data());
      });
  const auto silu = [](float a) { return a / (1 + fathom::engine::exp(-a)); };
  CHECK(y == std::vector<float>{silu(1) * 2 * 0.5f, silu(1) * -2 * 0.5f, silu(1) * 0.5f * 0.5f,
                                silu(2) * 1 * 0.5f, silu(-9) * 1 * 0.5f});
  const std::vector<float> free = on_all({9}, [&](const Kernels& kernels, std::vector<float>& out) {
    kernels.swiglu(out.data(), up.data(), {}, 1, out.data());
  });
  CHECK(free[0] == silu(9) * 5);
}

TEST_CASE("rope turns pairs, and its inverse turns them back", "[engine]") {
  for (const std::int64_t pairs : {1, 3, 8, 16, 32}) {
    const std::vector<float> x = random_vectors(1, 2 * pairs, 7);
    std::vector<float> c;
    std::vector<float> s;
    for (std::int64_t k = 0; k < pairs; ++k) {
      c.push_back(std::cos(0.37f * static_cast<float>(k + 1)));
      s.push_back(std::sin(0.37f * static_cast<float>(k + 1)));
    }
    const std::vector<float> y = on_all(x, [&](const Kernels& kernels, std::vector<float>& out) {
      kernels.rope(out.data(), c.data(), s.data(), pairs, RopeDirection::forward);
    });
    for (std::size_t k = 0; k < c.size(); ++k) {
      CHECK(y[2 * k] == std::fma(x[2 * k], c[k], -(x[2 * k + 1] * s[k])));
      CHECK(y[2 * k + 1] == std::fma(x[2 * k + 1], c[k], x[2 * k] * s[k]));
    }
    const std::vector<float> back = on_all(y, [&](const Kernels& kernels, std::vector<float>& out) {
      kernels.rope(out.data(), c.data(), s.data(), pairs, RopeDirection::inverse);
    });
    for (std::size_t i = 0; i < x.size(); ++i)
      CHECK(std::fabs(back[i] - x[i]) <= 1e-6f * (1 + std::fabs(y[i ^ 1]) + std::fabs(x[i])));
  }
}

TEST_CASE("hadamard is Sylvester's matrix over the root of its size", "[engine]") {
  for (std::int64_t n = 2; n <= 256; n *= 2) {
    const std::vector<float> x = random_vectors(1, n, 8);
    const std::vector<float> y = on_all(x, [&](const Kernels& kernels, std::vector<float>& out) {
      kernels.hadamard(out.data(), n);
    });
    double largest = 0;
    for (float value : x) largest = std::max(largest, std::fabs(double{value}));
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < n; ++j)
        sum += std::popcount(static_cast<std::uint64_t>(i & j)) % 2 == 0
                   ? x[static_cast<std::size_t>(j)]
                   : -x[static_cast<std::size_t>(j)];
      const double exact = sum / std::sqrt(static_cast<double>(n));
      CHECK(std::fabs(y[static_cast<std::size_t>(i)] - exact) <= 1e-5 * (1 + largest));
    }
  }
}
