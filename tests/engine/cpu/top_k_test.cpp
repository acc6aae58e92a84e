#include "engine/cpu/top_k.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

using namespace fathom::engine;

namespace {

std::vector<std::int32_t> sorted_choice(const std::vector<float>& scores, std::size_t k) {
  std::vector<std::int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::int32_t a, std::int32_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  order.resize(std::min(k, order.size()));
  std::ranges::sort(order);
  return order;
}

}  // namespace

TEST_CASE("top_k chooses as a stable sort does, in rising order of index", "[engine]") {
  std::mt19937_64 random(5);
  std::vector<std::int32_t> chosen;
  for (const std::size_t size : {1u, 5u, 100u, 5000u}) {
    for (const std::int64_t k : {1, 2, 6, 512, 5000}) {
      std::vector<float> scores(size);
      std::normal_distribution<float> normal;
      for (float& score : scores) score = normal(random);
      top_k(scores, k, chosen);
      CHECK(chosen == sorted_choice(scores, static_cast<std::size_t>(k)));
      for (float& score : scores) score = static_cast<float>(random() % 5) - 2.0f;
      top_k(scores, k, chosen);
      CHECK(chosen == sorted_choice(scores, static_cast<std::size_t>(k)));
    }
  }
}

TEST_CASE("top_k counts -0 as 0 and NaN as the lowest", "[engine]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::vector<std::int32_t> chosen;
  top_k(std::vector<float>{-0.0f, 0.0f, kNan, -kInfinity, -1.0f}, 1, chosen);
  CHECK(chosen == std::vector<std::int32_t>{0});
  top_k(std::vector<float>{kNan, -kInfinity, kNan, 3}, 3, chosen);
  CHECK(chosen == std::vector<std::int32_t>{0, 1, 3});
  top_k({}, 3, chosen);
  CHECK(chosen.empty());
  top_k(std::vector<float>{1}, 0, chosen);
  CHECK(chosen.empty());
}
