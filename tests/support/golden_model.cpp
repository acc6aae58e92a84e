#include "tests/support/golden_model.hpp"

#include "engine/model/mapped_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <span>
#include <stdexcept>

namespace fathom::test {

namespace fs = std::filesystem;

std::vector<std::string> golden_sets(const fs::path& dir) {
  std::vector<std::string> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(dir, ec))
    if (fs::exists(entry.path() / "inputs.json")) out.push_back(entry.path().filename().string());
  std::ranges::sort(out);
  return out;
}

std::span<const float> ExpectedTensor::row(std::int64_t index) const {
  const std::size_t width = values.size() / static_cast<std::size_t>(shape[0]);
  return std::span(values).subspan(static_cast<std::size_t>(index) * width, width);
}

float ExpectedTensor::largest() const {
  float out = 0;
  for (float value : values) out = std::max(out, std::abs(value));
  return out;
}

Golden Golden::load(const fs::path& dir) {
  std::ifstream file(dir / "inputs.json");
  const auto json = nlohmann::json::parse(file);
  Golden out;
  out.name = dir.filename().string();
  out.dir = dir;
  out.ids = json.at("input_ids").get<std::vector<std::int64_t>>();
  out.chunk_schedules = json.at("chunk_schedules").get<std::vector<std::vector<std::int64_t>>>();
  out.greedy.prompt_tokens = json.at("greedy_f32").at("prompt_len").get<std::int64_t>();
  out.greedy.tokens = json.at("greedy_f32").at("tokens").get<std::vector<std::int64_t>>();
  return out;
}

std::vector<fs::path> Golden::checkpoints() const {
  std::vector<fs::path> out;
  for (const char* form : {"quant", "bf16"})
    if (fs::exists(dir / form)) out.push_back(dir / form);
  return out;
}

ExpectedTensors read_expected(const fs::path& path) {
  auto file = engine::MappedFile::open(path);
  if (!file) throw std::runtime_error(file.error().message);
  auto tensors = engine::parse_safetensors(file->bytes());
  if (!tensors) throw std::runtime_error(path.string() + ": " + tensors.error().message);
  ExpectedTensors out;
  for (const engine::Tensor& tensor : *tensors) {
    ExpectedTensor& expected = out[tensor.name];
    expected.shape = tensor.shape;
    expected.values.resize(tensor.bytes.size() / 4);
    if (tensor.type == engine::TensorType::f32) {
      std::memcpy(expected.values.data(), tensor.bytes.data(), tensor.bytes.size());
      continue;
    }
    std::vector<std::int32_t> ids(expected.values.size());
    std::memcpy(ids.data(), tensor.bytes.data(), tensor.bytes.size());
    std::ranges::transform(ids, expected.values.begin(),
                           [](std::int32_t id) { return static_cast<float>(id); });
  }
  return out;
}

std::int64_t expected_row(const ExpectedTensors& expected, std::string_view name,
                          std::int64_t position) {
  constexpr std::array kAll = {"kv",       "comp",   "idx_k",    "idx_w", "idx_score",
                               "idx_topk", "gate_s", "gate_ids", "gate_w"};
  constexpr std::array kQueries = {"q", "idx_q", "o", "o_pre"};
  if (std::ranges::find(kAll, name) != kAll.end()) return position;
  const bool of_queries = std::ranges::find(kQueries, name) != kQueries.end();
  const auto& stored = expected.at(of_queries ? "selq" : "sel").values;
  const auto found = std::ranges::find(stored, static_cast<float>(position));
  return found == stored.end() ? -1 : found - stored.begin();
}

}  // namespace fathom::test
