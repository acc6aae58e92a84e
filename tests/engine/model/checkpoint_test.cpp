#include "engine/model/checkpoint.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace fathom;
using namespace fathom::engine;

namespace {

std::string file_with(std::initializer_list<std::string> names) {
  std::vector<TensorHead> heads;
  for (const std::string& name : names) heads.push_back({name, TensorType::f32, {1}});
  return safetensors_header(heads) + std::string(4 * names.size(), '\0');
}

constexpr const char* kIndex = "model.safetensors.index.json";

}  // namespace

TEST_CASE("a folder without weights says what a checkpoint is", "[engine]") {
  const test::TempDir dir;
  CHECK(Checkpoint::open(dir / "absent")
            .error()
            .message.ends_with("absent: no such folder (a checkpoint is a folder with config.json "
                               "and model*.safetensors)"));
  CHECK(Checkpoint::open(dir.path())
            .error()
            .message.ends_with("has neither model.safetensors.index.json nor model.safetensors: "
                               "not a checkpoint, or not fully downloaded"));
}

TEST_CASE("shards are one set of tensors under their usual names", "[engine]") {
  const test::TempDir dir;
  dir.write("one", file_with({"model.a.weight", "layers.3.ffn.gate.e_score_correction_bias"}));
  dir.write("two", file_with({"a.weight_scale_inv"}));
  dir.write(kIndex, R"({"weight_map":{"model.a.weight":"one","a.weight_scale_inv":"two",
                        "layers.3.ffn.gate.e_score_correction_bias":"one"}})");
  const auto checkpoint = Checkpoint::open(dir.path());
  if (!checkpoint) FAIL(checkpoint.error().message);
  CHECK(checkpoint->find("a.weight"));
  CHECK(checkpoint->find("a.scale"));
  CHECK(checkpoint->find("layers.3.ffn.gate.bias"));
  CHECK_FALSE(checkpoint->find("model.a.weight"));
  CHECK(checkpoint->bytes() == 12);
}

TEST_CASE("an index that does not fit its shards is refused", "[engine]") {
  const test::TempDir dir;
  const auto refusal = [&](const std::string& index) {
    dir.write(kIndex, index);
    const auto checkpoint = Checkpoint::open(dir.path());
    return checkpoint ? "accepted"
                      : checkpoint.error().message.substr(dir.path().string().size() + 1);
  };
  const std::string index = std::string(kIndex) + ": ";
  dir.write("one", file_with({"a"}));
  dir.write("two", file_with({"a"}));
  CHECK(refusal("{") == index + "must be a JSON object with a 'weight_map'");
  CHECK(refusal(R"({"weight_map":{"a":"../one"}})") ==
        index + "tensor 'a' must name a file of the same folder");
  CHECK(refusal(R"({"weight_map":{"a":7}})") ==
        index + "tensor 'a' must name a file of the same folder");
  CHECK(refusal(R"({"weight_map":{"a":"one","b":"one"}})") ==
        index + "tensor 'b' is not in one, where the index says it is");
  CHECK(refusal(R"({"weight_map":{"a":"one","b":"two"}})") ==
        "two: tensor 'a' is also in another file");
  CHECK(Checkpoint::open(dir.path()).error().code == ErrorCode::bad_data);
  dir.write(kIndex, R"({"weight_map":{"a":"three"}})");
  CHECK(Checkpoint::open(dir.path()).error().code == ErrorCode::not_found);
  dir.write("three", "");
  CHECK(Checkpoint::open(dir.path()).error().message.ends_with("three: the file is empty"));
}
