#include "engine/cpu/attention_kernels.hpp"

#include "tests/engine/cpu/canonical.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace fathom::engine;
using namespace fathom::test;

namespace {

// Queries and entries on the grid of stored entries, in both formats.
struct Scene {
  KvShape shape;
  std::int64_t heads;
  std::vector<float> queries;
  std::vector<float> sinks;
  std::vector<float> plain;
  std::vector<std::byte> packed;
  std::vector<const std::byte*> plain_entries;
  std::vector<const std::byte*> packed_entries;

  Scene(KvShape of, std::int64_t head_count, std::int64_t entries) : shape(of), heads(head_count) {
    const Kernels& kernels = *kernels_for(Isa::scalar);
    const std::int64_t dims = shape.dims();
    queries = random_vectors(heads, dims, 81);
    for (float& value : queries) value = std::clamp(value, -4.0f, 4.0f);
    sinks = random_vectors(1, heads, 82);
    for (float& value : sinks) value = std::clamp(value, -4.0f, 4.0f);
    plain = random_vectors(entries, dims, 83);
    for (float& value : plain) value = std::clamp(value, -4.0f, 4.0f);
    const std::int64_t size = kv_entry_bytes(KvFormat::packed, shape);
    packed.resize(static_cast<std::size_t>(entries * size));
    for (std::int64_t e = 0; e < entries; ++e) {
      std::byte* entry = packed.data() + e * size;
      kernels.encode_kv(plain.data() + e * dims, shape, entry);
      kernels.decode_kv(entry, shape, plain.data() + e * dims);
      packed_entries.push_back(entry);
      plain_entries.push_back(reinterpret_cast<const std::byte*>(plain.data() + e * dims));
    }
  }

  [[nodiscard]] std::vector<float> attend(const Kernels& kernels, KvFormat format,
                                          std::int64_t heads_at_once) const {
    const std::int64_t dims = shape.dims();
    std::vector<float> out(queries.size(), -1.0f);
    for (std::int64_t h = 0; h < heads; h += heads_at_once)
      kernels.attend(
          {.queries = queries.data() + h * dims,
           .heads = std::min(heads_at_once, heads - h),
           .sinks = sinks.data() + h,
           .scale = 0.11f,
           .shape = shape,
           .format = format,
           .entries = format == KvFormat::f32 ? plain_entries.data() : packed_entries.data(),
           .entry_count = static_cast<std::int64_t>(plain_entries.size()),
           .out = out.data() + h * dims});
    return out;
  }

  [[nodiscard]] double exact(std::int64_t head, std::int64_t dim) const {
    const std::int64_t dims = shape.dims();
    double total = std::exp(double{sinks[static_cast<std::size_t>(head)]});
    double sum = 0;
    for (std::size_t e = 0; e < plain_entries.size(); ++e) {
      const float* entry = plain.data() + static_cast<std::int64_t>(e) * dims;
      double score = 0;
      for (std::int64_t d = 0; d < dims; ++d)
        score += double{queries[static_cast<std::size_t>(head * dims + d)]} * entry[d];
      const double weight = std::exp(score * double{0.11f});
      total += weight;
      sum += weight * entry[dim];
    }
    return sum / total;
  }
};

float canonical_score(const IndexScoring& s, const float* key) {
  float score = 0;
  for (std::int64_t h = 0; h < s.heads; ++h) {
    float product = 0;
    for (std::int64_t d = 0; d < s.dims; ++d)
      product = std::fma(s.queries[h * s.dims + d], key[d], product);
    score = std::fma(s.weights[h], product < 0 ? 0.0f : product, score);
  }
  return score;
}

}  // namespace

TEST_CASE("attention has the same bits for stored and plain entries, heads and machines",
          "[engine]") {
  for (const std::int64_t entries : {1, 63, 64, 65, 200}) {
    const Scene scene({64, 32}, 13, entries);
    const std::vector<float> expected = scene.attend(*kernels_for(Isa::scalar), KvFormat::f32, 13);
    for (const Kernels* kernels : all_kernels()) {
      INFO(name_of(kernels->isa) << " entries " << entries);
      CHECK(same_bits(scene.attend(*kernels, KvFormat::f32, 13), expected));
      CHECK(same_bits(scene.attend(*kernels, KvFormat::packed, 13), expected));
      CHECK(same_bits(scene.attend(*kernels, KvFormat::packed, 4), expected));
    }
  }
}

TEST_CASE("attention at the real shape agrees with double precision", "[engine]") {
  const Scene scene({448, 64}, 70, 130);
  const std::vector<float> out = scene.attend(*all_kernels().back(), KvFormat::packed, 70);
  double worst = 0;
  for (const std::int64_t head : {0, 5, 63, 64, 69})
    for (std::int64_t dim = 0; dim < 512; dim += 17)
      worst = std::max(worst, std::fabs(out[static_cast<std::size_t>(head * 512 + dim)] -
                                        scene.exact(head, dim)));
  CHECK(worst < 1e-4);
}

TEST_CASE("a sink far above all scores leaves nothing, and none leaves all", "[engine]") {
  Scene scene({64, 32}, 2, 1);
  scene.sinks = {200.0f, -std::numeric_limits<float>::infinity()};
  for (const Kernels* kernels : all_kernels()) {
    const std::vector<float> out = scene.attend(*kernels, KvFormat::f32, 2);
    for (std::size_t d = 0; d < 96; ++d) {
      CHECK(std::fabs(out[d]) < 1e-30f);
      CHECK(out[96 + d] == scene.plain[d]);
    }
  }
}

TEST_CASE("index scores have the canonical bits in both formats", "[engine]") {
  for (const std::int64_t dims : {32, 64, 128}) {
    for (const std::int64_t count : {1, 15, 64, 100}) {
      constexpr std::int64_t kHeads = 16;
      const std::vector<float> queries = random_vectors(kHeads, dims, 91);
      const std::vector<float> weights = random_vectors(1, kHeads, 92);
      std::vector<float> plain = random_vectors(count, dims, 93);
      const std::int64_t size = index_key_bytes(KvFormat::packed, dims);
      std::vector<std::byte> packed(static_cast<std::size_t>(count * size));
      for (std::int64_t b = 0; b < count; ++b) {
        const Kernels& kernels = *kernels_for(Isa::scalar);
        kernels.encode_index_key(plain.data() + b * dims, dims, packed.data() + b * size);
        kernels.decode_index_key(packed.data() + b * size, dims, plain.data() + b * dims);
      }
      IndexScoring scoring{.queries = queries.data(),
                           .weights = weights.data(),
                           .heads = kHeads,
                           .dims = dims,
                           .count = count};
      std::vector<float> expected;
      for (std::int64_t b = 0; b < count; ++b)
        expected.push_back(canonical_score(scoring, plain.data() + b * dims));
      for (const Kernels* kernels : all_kernels()) {
        INFO(name_of(kernels->isa) << " dims " << dims << " count " << count);
        std::vector<float> scores(expected.size());
        scoring.scores = scores.data();
        scoring.format = KvFormat::packed;
        scoring.keys = packed.data();
        kernels->index_scores(scoring);
        CHECK(same_bits(scores, expected));
        scoring.format = KvFormat::f32;
        scoring.keys = reinterpret_cast<const std::byte*>(plain.data());
        kernels->index_scores(scoring);
        CHECK(same_bits(scores, expected));
      }
    }
  }
}
