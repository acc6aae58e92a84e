// Pitfalls 27 and 28: what a sequence keeps is all it needs, in a layout that loses nothing.
#include "engine/cpu/kernels.hpp"
#include "engine/local/forward.hpp"
#include "engine/model/quant_formats.hpp"
#include "tests/engine/cpu/canonical.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/feed.hpp"
#include "tests/support/golden_check.hpp"

#include <algorithm>
#include <cmath>
#include <random>

using namespace fathom;
using namespace fathom::engine;
using namespace fathom::test;

namespace {

std::vector<TokenId> text(std::size_t size, unsigned seed, const ModelConfig& config) {
  std::mt19937 random(seed);
  std::vector<TokenId> out(size);
  for (TokenId& token : out)
    token = static_cast<TokenId>(random() % static_cast<unsigned>(config.vocab_size));
  return out;
}

void check_resumes(const Golden& golden) {
  const auto weights = Weights::load(golden.dir / "quant");
  if (!weights) FAIL(weights.error().message);
  ThreadPool pool(1);
  Forward forward(*weights, Numerics::official, pool);
  const auto past = text(150, 1, weights->config);
  const auto other = text(20, 2, weights->config);
  LiveKv whole = forward.new_kv();
  const auto straight = feed_all(forward, whole, past);
  const std::size_t vocab = straight.size() / past.size();
  for (const std::size_t p : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 10U, 127U, 128U, 129U, 130U}) {
    INFO("resumed at " << p);
    const auto rest = std::span(past).subspan(p);
    const std::vector<float> expected(straight.begin() + static_cast<long>(p * vocab),
                                      straight.end());
    LiveKv kv = forward.new_kv();
    feed_all(forward, kv, std::span(past).first(p));
    LiveKv fork = kv.fork();
    auto logits = feed_all(forward, fork, rest.first(3));
    feed_all(forward, kv, other);  // what the original does meanwhile is its own affair
    const auto more = feed_all(forward, fork, rest.subspan(3));
    logits.insert(logits.end(), more.begin(), more.end());
    CHECK(logits == expected);
    REQUIRE(kv.rollback(static_cast<std::int64_t>(other.size())));
    CHECK(feed_all(forward, kv, rest) == expected);
  }
}

/// Values of the fp8 dims as they are, of the rope dims as bf16.
std::vector<float> stored(std::span<const float> latent, KvShape shape) {
  std::vector<float> out(latent.begin(), latent.end());
  for (auto i = static_cast<std::size_t>(shape.fp8_dims); i < out.size(); ++i)
    out[i] = from_bf16(to_bf16(out[i]));
  return out;
}

void check_round_trip(const ExpectedTensors& expected, const ModelConfig& config) {
  const KvShape shape = kv_shape(config);
  std::size_t latents = 0;
  std::size_t keys = 0;
  for (const auto& [name, tensor] : expected) {
    const bool latent = name.ends_with(".kv") || name.ends_with(".comp");
    if (!latent && !name.ends_with(".idx_k")) continue;
    for (std::int64_t r = 0; r < tensor.shape[0]; ++r) {
      const auto row = tensor.row(r);
      const auto dims = static_cast<std::int64_t>(row.size());
      const std::int64_t size = latent ? kv_entry_bytes(KvFormat::packed, shape)
                                       : index_key_bytes(KvFormat::packed, dims);
      std::vector<std::byte> bytes(static_cast<std::size_t>(size));
      std::vector<float> back(row.size());
      ++(latent ? latents : keys);
      for (const Kernels* kernels : all_kernels()) {
        INFO(name << " row " << r << ", " << name_of(kernels->isa));
        if (latent) {
          kernels->encode_kv(row.data(), shape, bytes.data());
          kernels->decode_kv(bytes.data(), shape, back.data());
          CHECK(back == stored(row, shape));
        } else {
          kernels->encode_index_key(row.data(), dims, bytes.data());
          kernels->decode_index_key(bytes.data(), dims, back.data());
          CHECK(std::ranges::equal(back, row));
        }
      }
    }
  }
  CHECK(latents > 0);
  CHECK(keys > 0);
}

/// What the forward pass itself keeps of the first layer, whose input is only the tokens.
void check_kept(const Golden& golden, const Weights& weights, const ExpectedTensors& expected) {
  const KvShape shape = kv_shape(weights.config);
  ThreadPool pool(1);
  Forward forward(weights, Numerics::official, pool);
  LiveKv kv = forward.new_kv();
  feed_all(forward, kv, std::vector<TokenId>(golden.ids.begin(), golden.ids.end()));
  REQUIRE(kv.format() == KvFormat::packed);
  const auto check = [&](const PagedRows& rows, const std::string& name) {
    if (rows.size() == 0) return;
    const ExpectedTensor& tensor = expected.at(name);
    REQUIRE(rows.size() == tensor.shape[0]);
    for (std::int64_t r = 0; r < rows.size(); ++r) {
      INFO(name << " row " << r);
      std::vector<float> latent(static_cast<std::size_t>(shape.dims()));
      kernels().decode_kv(rows.row(r), shape, latent.data());
      const auto row = tensor.row(r);
      const auto fp8 = static_cast<std::size_t>(shape.fp8_dims);
      CHECK(std::ranges::equal(std::span(latent).first(fp8), row.first(fp8)));
      for (std::size_t i = fp8; i < row.size(); ++i)
        CHECK(std::abs(latent[i] - row[i]) <= std::abs(row[i]) / 256 + 1e-5F);
    }
  };
  check(kv.layer(0).window, "L0.kv");
  check(kv.layer(0).entries, "L0.comp");
}

}  // namespace

TEST_CASE("pitfall 27: a sequence resumes at any position as if it had never stopped", "[engine]") {
  for_each_own_set(check_resumes);
}

TEST_CASE("pitfall 28: stored entries and keys decode to the recorded ones", "[engine]") {
  for_each_own_set([](const Golden& golden) {
    const ExpectedTensors expected = read_expected(golden.dir / "expected_q.safetensors");
    const auto weights = Weights::load(golden.dir / "quant");
    if (!weights) FAIL(weights.error().message);
    check_round_trip(expected, weights->config);
    check_kept(golden, *weights, expected);
  });
}
