#include "engine/local/softmax.hpp"

#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

using namespace fathom::engine;

namespace {
constexpr float kNever = -std::numeric_limits<float>::infinity();
}

TEST_CASE("our exponential is within two units of the last place", "[engine]") {
  std::vector<float> values;
  for (int i = 0; i <= 87'000; ++i) values.push_back(static_cast<float>(-i) / 1000);
  std::vector<float> weights(values.size());
  exp_below(values, 0, 1, weights);
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double exact = std::exp(static_cast<double>(values[i]));
    worst = std::max(worst, std::abs(static_cast<double>(weights[i]) / exact - 1));
  }
  // Near -87 the product with log2(e) costs six bits of the fraction.
  CHECK(worst < 6e-6);
  CHECK(weights[0] == 1);
}

TEST_CASE("a logit that is never chosen weighs nothing at all", "[engine]") {
  const std::vector<float> values = {kNever, -88, 3};
  std::vector<float> weights(3);
  exp_below(values, 3, 1, weights);
  CHECK(weights == std::vector<float>{0, 0, 1});
}

TEST_CASE("maximum, sum and log-sum-exp agree with the plain loops", "[engine]") {
  std::vector<float> values;
  double sum = 0;
  double exponentials = 0;
  for (int i = 0; i < 3001; ++i) {
    values.push_back(static_cast<float>(i % 97) / 8 - 5);
    sum += static_cast<double>(values.back());
    exponentials += std::exp(static_cast<double>(values.back()));
  }
  CHECK(max_of(values) == 7);
  CHECK(max_of({}) == kNever);
  CHECK(sum_of(values) == Approx(sum));
  CHECK(log_sum_exp(values, 7) == Approx(std::log(exponentials)).epsilon(1e-7));
}
