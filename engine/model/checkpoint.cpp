#include "engine/model/checkpoint.hpp"

#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <set>

namespace fathom::engine {
namespace {

using nlohmann::json;

bool replace_suffix(std::string& name, std::string_view from, std::string_view to) {
  if (!name.ends_with(from)) return false;
  name.replace(name.size() - from.size(), from.size(), to);
  return true;
}

std::string usual_name(std::string name) {
  if (name.starts_with("model.")) name.erase(0, 6);
  replace_suffix(name, ".weight_scale_inv", ".scale");
  replace_suffix(name, ".gate.e_score_correction_bias", ".gate.bias");
  return name;
}

/// A shard's name comes from outside: it must stay inside the folder.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos && name != "." && name != "..";
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const std::filesystem::path& dir) {
  Checkpoint checkpoint;
  std::error_code ec;
  if (!std::filesystem::is_directory(dir, ec))
    return fail(ErrorCode::not_found, dir.string() +
                                          ": no such folder (a checkpoint is a folder with "
                                          "config.json and model*.safetensors)");
  const auto index = dir / "model.safetensors.index.json";
  if (std::filesystem::exists(index, ec)) {
    TRY(checkpoint.add_shards(index));
  } else if (std::filesystem::exists(dir / "model.safetensors", ec)) {
    TRY(checkpoint.add_file(dir / "model.safetensors"));
  } else {
    return fail(ErrorCode::not_found,
                dir.string() +
                    ": has neither model.safetensors.index.json nor "
                    "model.safetensors: not a checkpoint, or not fully downloaded");
  }
  return checkpoint;
}

Result<> Checkpoint::add_file(const std::filesystem::path& path) {
  MappedFile file = TRY(MappedFile::open(path));
  auto tensors = parse_safetensors(file.bytes());
  if (!tensors) return fail(context(path.string(), std::move(tensors).error()));
  for (Tensor& tensor : *tensors) {
    tensor.name = usual_name(std::move(tensor.name));
    const auto [place, added] = tensors_.try_emplace(tensor.name, tensor);
    if (!added)
      return fail(ErrorCode::bad_data, path.string() + ": tensor '" + to_printable(place->first) +
                                           "' is also in another file");
  }
  files_.push_back(std::move(file));
  return {};
}

Result<> Checkpoint::add_shards(const std::filesystem::path& index) {
  const std::string text = TRY(read_file(index, kCheckpointIndexBytesMax));
  const json object = json::parse(text, nullptr, false);
  const auto bad = [&index](const std::string& what) {
    return fail(ErrorCode::bad_data, index.string() + ": " + what);
  };
  if (!object.is_object() || !object.contains("weight_map") || !object["weight_map"].is_object())
    return bad("must be a JSON object with a 'weight_map'");
  std::set<std::string> files;
  for (const auto& [name, file] : object["weight_map"].items()) {
    if (!file.is_string() || !is_plain_name(file.get<std::string>()))
      return bad("tensor '" + to_printable(name) + "' must name a file of the same folder");
    files.insert(file.get<std::string>());
  }
  if (files.size() > kCheckpointShardsMax) return bad("names too many files");
  for (const std::string& file : files) TRY(add_file(index.parent_path() / file));
  for (const auto& [name, file] : object["weight_map"].items())
    if (!find(usual_name(name)))
      return bad("tensor '" + to_printable(name) + "' is not in " + file.get<std::string>() +
                 ", where the index says it is");
  return {};
}

const Tensor* Checkpoint::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::uint64_t Checkpoint::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [name, tensor] : tensors_) sum += tensor.bytes.size();
  return sum;
}

}  // namespace fathom::engine
