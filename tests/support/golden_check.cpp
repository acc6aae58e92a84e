#include "tests/support/golden_check.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom::test {
namespace {

constexpr std::size_t kNotesMax = 12;
constexpr std::array kNamedSets = {"p1-all", "p2-ratio128", "p3-short"};

std::string tensor_name(const Seen& seen) {
  return (seen.layer < 0 ? "main." : "L" + std::to_string(seen.layer) + ".") +
         std::string(seen.name);
}

float largest_difference(std::span<const float> a, std::span<const float> b) {
  float out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float difference = std::abs(a[i] - b[i]);
    out = std::isnan(difference) ? INFINITY : std::max(out, difference);
  }
  return out;
}

}  // namespace

void ComponentCheck::note(const std::string& what, float difference, float bound) {
  if (difference <= bound || noted_++ >= kNotesMax) return;
  report_ +=
      what + ": off by " + std::to_string(difference) + ", bound " + std::to_string(bound) + "\n";
}

void ComponentCheck::compare_ids(const std::string& tensor, std::int64_t row,
                                 std::span<const float> ids) {
  std::set<float> wanted;
  for (float id : expected_.at(tensor).row(row))
    if (id >= 0) wanted.insert(id);
  if (wanted != std::set<float>(ids.begin(), ids.end()))
    note(tensor + " row " + std::to_string(row), INFINITY, 0);
}

void ComponentCheck::compare(const Seen& seen, std::span<const float> values) {
  const std::string name = tensor_name(seen);
  const auto found = expected_.find(name);
  if (found == expected_.end()) return;
  const std::int64_t row = expected_row(expected_, seen.name, seen.position);
  if (row < 0 || row >= found->second.shape[0]) return;
  ++compared_;
  if (seen.name == "idx_topk" || seen.name == "gate_ids") return compare_ids(name, row, values);
  // Weights come in the order of the ids, which is free: as a sorted list they are the same.
  auto wanted = found->second.row(row);
  std::vector<float> expected(wanted.begin(), wanted.end());
  std::vector<float> actual(values.begin(), values.end());
  if (seen.name == "gate_w") {
    std::ranges::sort(expected);
    std::ranges::sort(actual);
  }
  if (seen.name == "idx_score")
    expected.resize(std::min(expected.size(), actual.size()));  // the visible ones
  const std::string what = name + " at " + std::to_string(seen.position);
  if (expected.size() != actual.size()) return note(what + " (size)", INFINITY, 0);
  const bool streams = seen.name == "X" || seen.name == "X_mid";
  const float bound = std::max(kComponentShare * found->second.largest() + kComponentFloor,
                               streams ? kStreamBound : 0);
  note(what, largest_difference(expected, actual), bound);
}

void ComponentCheck::compare_logits(const std::string& tensor, std::int64_t position,
                                    std::span<const float> values) {
  const auto& expected = expected_.at(tensor);
  if (position >= expected.shape[0]) return;
  ++compared_;
  const float difference = largest_difference(expected.row(position), values);
  worst_logit_ = std::max(worst_logit_, difference);
  note(tensor + " at " + std::to_string(position), difference, kLogitBound);
}

std::int64_t LayerLocalCheck::positions(std::int64_t layer) const {
  const auto found = expected_.find("L" + std::to_string(layer) + ".attn_in");
  if (found == expected_.end()) return 0;
  // Only where every position is recorded can a layer be run from an empty cache.
  const std::int64_t rows = found->second.shape[0];
  const auto& kv = expected_.at("L" + std::to_string(layer) + ".kv");
  return rows == kv.shape[0] ? rows : 0;
}

std::vector<float> LayerLocalCheck::input(std::string_view name, std::int64_t layer,
                                          std::int64_t position) const {
  const auto row = expected_.at(tensor_name({name, layer, position})).row(position);
  return {row.begin(), row.end()};
}

void LayerLocalCheck::compare(std::string_view name, std::int64_t layer, std::int64_t position,
                              std::span<const float> values) {
  const std::string tensor = tensor_name({name, layer, position});
  ++compared_;
  const float difference = largest_difference(expected_.at(tensor).row(position), values);
  worst_ = std::max(worst_, difference);
  if (difference <= bound_) return;
  if (off_++ == 0)
    first_ = tensor + " at " + std::to_string(position) + " by " + std::to_string(difference);
}

std::string LayerLocalCheck::report() const {
  if (compared_ == 0) return "no layer has all its positions recorded";
  if (static_cast<double>(off_) <= kLocalPositionsShare * static_cast<double>(compared_)) return "";
  return std::to_string(off_) + " of " + std::to_string(compared_) + " vectors are off, first " +
         first_ + ", worst by " + std::to_string(worst_);
}

void for_each_own_set(const std::function<void(const Golden&)>& check) {
  const std::filesystem::path dir = "tests/golden/v4";
  const auto names = golden_sets(dir);
  REQUIRE_FALSE(names.empty());
  for (const std::string& name : names) {
    INFO(name);
    check(Golden::load(dir / name));
  }
}

void with_outside_set(const std::string& name, const std::function<void(const Golden&)>& check) {
  const auto dir = vectors_dir() / "v4" / name;
  if (!std::filesystem::exists(dir / "inputs.json"))
    return skip("no golden vectors at " + dir.string() + " (FATHOM_VECTORS): " + name +
                " was not compared");
  check(Golden::load(dir));
}

void for_each_other_outside_set(const std::function<void(const Golden&)>& check) {
  for (const std::string& name : golden_sets(vectors_dir() / "v4"))
    if (std::ranges::find(kNamedSets, name) == kNamedSets.end())
      check(Golden::load(vectors_dir() / "v4" / name));
}

}  // namespace fathom::test
