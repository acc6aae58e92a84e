#include "engine/model/weights.hpp"

#include "engine/model/layout.hpp"
#include "engine/model/random_model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/tiny_model.hpp"

#include <cstring>
#include <fstream>
#include <functional>

using namespace fathom;
using namespace fathom::engine;

namespace {

/// A random checkpoint of the tiny configuration, with one thing changed.
class Damaged {
 public:
  Damaged() { REQUIRE(write_random_model(test::tiny_config(), path(), {})); }

  [[nodiscard]] std::filesystem::path path() const { return dir_ / "m"; }

  /// Writes `bytes` into the file at element 0 of a tensor.
  void overwrite(std::string_view tensor, std::string_view bytes) const {
    const auto file = MappedFile::open(shard()).value();
    const auto tensors = parse_safetensors(file.bytes()).value();
    for (const Tensor& candidate : tensors)
      if (candidate.name == tensor) {
        std::fstream out(shard(), std::ios::in | std::ios::out | std::ios::binary);
        out.seekp(candidate.bytes.data() - file.bytes().data());
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        return;
      }
    FAIL("no tensor " << tensor);
  }

  void replace_in_header(const std::string& from, const std::string& to) const {
    REQUIRE(from.size() == to.size());
    std::string bytes = test::slurp(shard());
    const auto at = bytes.find(from);
    REQUIRE(at != std::string::npos);
    bytes.replace(at, from.size(), to);
    dir_.write("m/model-00001-of-00001.safetensors", bytes);
    std::string index = test::slurp(path() / "model.safetensors.index.json");
    if (const auto name = index.find(from); name != std::string::npos)
      index.replace(name, from.size(), to);
    dir_.write("m/model.safetensors.index.json", index);
  }

  [[nodiscard]] std::string refusal() const {
    const auto weights = Weights::load(path());
    return weights ? "accepted" : weights.error().message.substr(path().string().size() + 2);
  }

 private:
  [[nodiscard]] std::filesystem::path shard() const {
    return path() / "model-00001-of-00001.safetensors";
  }

  test::TempDir dir_;
};

}  // namespace

TEST_CASE("matrices stay where the file has them", "[engine]") {
  const Damaged model;
  const auto weights = Weights::load(model.path());
  if (!weights) FAIL(weights.error().message);
  const Layer& layer = weights->layers[1];
  CHECK(layer.kind == AttentionKind::csa);
  CHECK(layer.attention.wq_a.format == WeightFormat::fp8);
  CHECK(layer.attention.wq_a.data ==
        weights->checkpoint.find("layers.1.attn.wq_a.weight")->bytes.data());
  CHECK(layer.moe.experts[5].w2.format == WeightFormat::fp4);
  CHECK(layer.moe.experts[5].w2.cols == 128);
  CHECK(layer.attention.indexer.has_value());
  CHECK(weights->layers[0].moe.table.has_value());
  CHECK(weights->layers[0].moe.bias.empty());
  CHECK_FALSE(weights->layers[2].attention.indexer.has_value());
  CHECK(weights->mtp.has_value());
}

TEST_CASE("missing, unknown and misshapen tensors are listed before any work", "[engine]") {
  {
    const Damaged model;
    model.replace_in_header("layers.2.attn.wo_b.weight", "layers.2.attn.wo_x.weight");
    CHECK(model.refusal() ==
          "the tensors do not fit config.json: missing: layers.2.attn.wo_b.weight; "
          "unknown: layers.2.attn.wo_b.scale; unknown: layers.2.attn.wo_x.weight");
  }
  {
    Damaged model;
    ModelConfig other = test::tiny_config();
    other.expert_hidden = 256;
    std::ofstream(model.path() / "config.json") << to_json(other);
    CHECK(
        model.refusal().starts_with("the tensors do not fit config.json: "
                                    "layers.0.ffn.experts.0.w1.weight: has shape [128, 64], "
                                    "config.json implies [256, 64]; "));
    CHECK(model.refusal().ends_with(" more"));
  }
}

TEST_CASE("values that no model can have are refused with their place", "[engine]") {
  const std::string nan("\x00\x00\xc0\x7f", 4);
  {
    const Damaged model;
    model.overwrite("layers.2.attn.attn_sink", nan);
    CHECK(model.refusal() ==
          "layers.2.attn.attn_sink: element 0 is not a finite number: the file is damaged");
  }
  {
    const Damaged model;
    model.overwrite("layers.1.hc_ffn_fn", nan);
    CHECK(model.refusal() ==
          "layers.1.hc_ffn_fn: element 0 is not a finite number: the file is damaged");
  }
  for (const char* name : {"layers.0.attn.wq_a.weight", "layers.0.attn.wq_a.scale"}) {
    const Damaged model;
    model.overwrite(name, "\xff");
    CHECK(model.refusal() ==
          std::string(name) + ": element 0 is not a finite number: the file is damaged");
  }
  {
    const Damaged model;
    const std::int64_t expert = 99;
    model.overwrite("layers.0.ffn.gate.tid2eid",
                    std::string(reinterpret_cast<const char*>(&expert), sizeof expert));
    CHECK(model.refusal() == "layers.0.ffn.gate.tid2eid: token 0 is sent to expert 99 of 6");
  }
}

TEST_CASE("a dtype that a role cannot have is refused", "[engine]") {
  const Damaged model;
  model.replace_in_header(R"("layers.0.ffn.gate.tid2eid":{"dtype":"I64","shape":[300,2])",
                          R"("layers.0.ffn.gate.tid2eid":{"dtype":"F32","shape":[300,4])");
  CHECK(model.refusal() ==
        "the tensors do not fit config.json: layers.0.ffn.gate.tid2eid: has dtype F32, a release "
        "has I64");
}
