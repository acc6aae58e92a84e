// Pitfalls 32 and 34: bytes of a checkpoint that are easily read as something else.
#include "engine/cpu/kernels.hpp"
#include "engine/model/layout.hpp"
#include "engine/model/quant_formats.hpp"
#include "engine/model/random_model.hpp"
#include "engine/model/weights.hpp"
#include "tests/engine/cpu/canonical.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/tiny_model.hpp"

#include <algorithm>
#include <cstring>
#include <set>

using namespace fathom;
using namespace fathom::engine;
using namespace fathom::test;

namespace {

/// Element (row, col) as each reader of weights sees it.
void check_element(const WeightMatrix& w, std::int64_t row, std::int64_t col, float expected) {
  INFO("row " << row << ", column " << col);
  std::vector<float> values(static_cast<std::size_t>(w.cols));
  dequantize_row(w, row, values);
  CHECK(values[static_cast<std::size_t>(col)] == expected);
  std::vector<float> x(static_cast<std::size_t>(w.cols));
  x[static_cast<std::size_t>(col)] = 1;
  for (const Kernels* kernels : all_kernels()) {
    std::vector<float> buffer(static_cast<std::size_t>(prepared_floats(1, w.cols)));
    const auto prepared =
        prepare_activations(w.format, {x.data(), 1, w.cols, w.cols}, buffer.data());
    std::vector<float> y(static_cast<std::size_t>(w.rows));
    kernels->matmul_rows(w, {row, row + 1}, prepared, {y.data(), w.rows});
    CHECK(y[static_cast<std::size_t>(row)] == expected);
  }
}

/// Writes the only shard of `dir` again with some tensors as BF16.
void save_as_bf16(const TempDir& dir, const std::string& name, const std::set<std::string>& which) {
  const auto file = MappedFile::open(dir / name).value();
  std::vector<TensorHead> heads;
  std::string data;
  for (const Tensor& tensor : parse_safetensors(file.bytes()).value()) {
    const bool narrow = which.contains(tensor.name);
    heads.push_back({tensor.name, narrow ? TensorType::bf16 : tensor.type, tensor.shape});
    if (!narrow) {
      data.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
      continue;
    }
    REQUIRE(tensor.type == TensorType::f32);
    for (std::size_t i = 0; i < tensor.bytes.size(); i += sizeof(float)) {
      float value = 0;
      std::memcpy(&value, tensor.bytes.data() + i, sizeof value);
      const std::uint16_t bits = to_bf16(value);
      data.append(reinterpret_cast<const char*>(&bits), sizeof bits);
    }
  }
  dir.write(name, safetensors_header(heads) + data);
}

std::vector<float> rounded(std::vector<float> values) {
  for (float& value : values) value = from_bf16(to_bf16(value));
  return values;
}

}  // namespace

TEST_CASE("pitfall 32: FP4 has the even element in the low nibble, FP8 scales end in part blocks",
          "[engine]") {
  // Two rows of 64: scales of 1, 2 and 4, 8; the second byte of a row holds elements 2 and 3.
  std::vector<std::byte> nibbles(64, std::byte{0});
  nibbles[1] = std::byte{0xb2};        // 1 and -1.5
  nibbles[32 + 16] = std::byte{0x7e};  // -4 and 6, in the second row's second block
  const std::vector<std::uint8_t> fp4_scales = {127, 128, 129, 130};
  const WeightMatrix fp4{WeightFormat::fp4, 2, 64, nibbles.data(), fp4_scales.data()};
  check_element(fp4, 0, 2, 1);
  check_element(fp4, 0, 3, -1.5F);
  check_element(fp4, 1, 32, -4 * 8);
  check_element(fp4, 1, 33, 6 * 8);
  check_element(fp4, 1, 2, 0);

  constexpr std::int64_t kRows = 130;
  constexpr std::int64_t kCols = 192;  // two rows and columns of blocks, the last ones partly there
  std::vector<std::byte> codes(static_cast<std::size_t>(kRows * kCols), std::byte{0x38});  // 1
  const std::vector<std::uint8_t> fp8_scales = {127, 128, 129, 130};
  const WeightMatrix fp8{WeightFormat::fp8, kRows, kCols, codes.data(), fp8_scales.data()};
  check_element(fp8, 127, 127, 1);
  check_element(fp8, 127, 128, 2);
  check_element(fp8, 127, 191, 2);
  check_element(fp8, 128, 127, 4);
  check_element(fp8, 129, 191, 8);
}

TEST_CASE("pitfall 34: what should be f32 is read by the type that the file says", "[engine]") {
  const TempDir dir;
  const std::string shard = "m/model-00001-of-00001.safetensors";
  REQUIRE(write_random_model(tiny_config(), dir / "m", {}));
  const auto original = Weights::load(dir / "m").value();
  const TempDir copy;
  for (const char* name : {"m/config.json", "m/model.safetensors.index.json"})
    copy.write(name, slurp(dir / name));
  copy.write(shard, slurp(dir / shard));
  save_as_bf16(
      copy, shard,
      {"layers.1.hc_attn_fn", "layers.1.hc_attn_base", "layers.1.hc_attn_scale",
       "layers.1.attn.attn_sink", "layers.1.attn.compressor.ape", "layers.1.ffn.gate.bias"});
  const auto resaved = Weights::load(copy / "m");
  if (!resaved) FAIL(resaved.error().message);
  const Layer& before = original.layers[1];
  const Layer& after = resaved->layers[1];
  CHECK(after.hc_attn.fn.format == WeightFormat::bf16);
  CHECK(after.hc_attn.base == rounded(before.hc_attn.base));
  CHECK(after.hc_attn.scale[2] == from_bf16(to_bf16(before.hc_attn.scale[2])));
  CHECK(after.attention.sink == rounded(before.attention.sink));
  CHECK(after.attention.compressor->ape == rounded(before.attention.compressor->ape));
  CHECK(after.moe.bias == rounded(before.moe.bias));
  // The others are what they were, and f32 where a release has f32.
  CHECK(after.hc_ffn.base == before.hc_ffn.base);
  CHECK(before.hc_attn.fn.format == WeightFormat::f32);
  // And it can be told: `fathom model inspect` warns.
  CHECK(narrowed_tensors(original.checkpoint, original.config).empty());
  const auto narrowed = narrowed_tensors(resaved->checkpoint, resaved->config);
  CHECK(narrowed.size() == 6);
  CHECK(std::ranges::count(narrowed, "layers.1.attn.attn_sink") == 1);
}
