#include "tests/support/tensor_file.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>

namespace fathom::test {

std::optional<TensorFile> TensorFile::open(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return std::nullopt;
  std::stringstream text;
  text << stream.rdbuf();
  TensorFile file;
  file.bytes_ = text.str();
  std::uint64_t header = 0;
  std::memcpy(&header, file.bytes_.data(), sizeof header);
  const auto tensors = nlohmann::json::parse(file.bytes_.substr(8, header));
  for (const auto& [name, tensor] : tensors.items()) {
    if (name == "__metadata__") continue;
    const auto& offsets = tensor.at("data_offsets");
    file.places_[name] = {8 + header + offsets.at(0).get<std::size_t>(),
                          8 + header + offsets.at(1).get<std::size_t>()};
  }
  return file;
}

std::vector<float> TensorFile::floats(const std::string& name) const {
  const Place place = places_.at(name);
  std::vector<float> values((place.end - place.begin) / sizeof(float));
  std::memcpy(values.data(), bytes_.data() + place.begin, values.size() * sizeof(float));
  return values;
}

}  // namespace fathom::test
