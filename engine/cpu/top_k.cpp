// A histogram of the keys' upper bits finds the bucket in which the k-th score lies; only that
// bucket's members are ordered. Quickselect would move all scores and depend on their order.
#include "engine/cpu/top_k.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <limits>

namespace fathom::engine {
namespace {

constexpr int kBucketBits = 12;
constexpr int kBucketShift = 32 - kBucketBits;

// Rises with the score.
std::uint32_t key_of(float score) {
  if (score != score) return 0;
  const auto bits = std::bit_cast<std::uint32_t>(score == 0 ? 0.0f : score);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

struct Cut {
  std::uint32_t bucket;  ///< holds the k-th score
  std::int64_t from_it;  ///< how many of its members are chosen
};

Cut find_cut(std::span<const float> scores, std::int64_t k) {
  std::array<std::int32_t, std::size_t{1} << kBucketBits> counts{};
  for (float score : scores) ++counts[key_of(score) >> kBucketShift];
  std::int64_t left = k;
  auto bucket = static_cast<std::uint32_t>(counts.size() - 1);
  for (; left > counts[bucket]; --bucket) left -= counts[bucket];
  return {bucket, left};
}

struct Candidate {
  std::uint32_t key;
  std::int32_t index;
};

bool is_higher(const Candidate& a, const Candidate& b) {
  return a.key != b.key ? a.key > b.key : a.index < b.index;
}

// The lowest that is chosen.
Candidate find_last(std::span<const float> scores, std::int64_t k) {
  const Cut cut = find_cut(scores, k);
  static thread_local std::vector<Candidate> members;  // a decode step comes here in every layer
  members.clear();
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (const std::uint32_t key = key_of(scores[i]); key >> kBucketShift == cut.bucket)
      members.push_back({key, static_cast<std::int32_t>(i)});
  const auto last = members.begin() + cut.from_it - 1;
  std::nth_element(members.begin(), last, members.end(), is_higher);
  return *last;
}

}  // namespace

void top_k(std::span<const float> scores, std::int64_t k, std::vector<std::int32_t>& chosen) {
  ENSURE(scores.size() <= std::numeric_limits<std::int32_t>::max(), "a context has 2^20 tokens");
  chosen.clear();
  k = std::min(k, static_cast<std::int64_t>(scores.size()));
  if (k <= 0) return;
  const Candidate last = find_last(scores, k);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const Candidate here{key_of(scores[i]), static_cast<std::int32_t>(i)};
    if (!is_higher(last, here)) chosen.push_back(here.index);
  }
}

}  // namespace fathom::engine
