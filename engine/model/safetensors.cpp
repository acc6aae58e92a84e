#include "engine/model/safetensors.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <set>

namespace fathom::engine {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "checkpoints are little-endian and mapped");

struct TypeRow {
  std::string_view name;
  TensorType type;
  std::size_t bytes;
};

constexpr std::array<TypeRow, 9> kTypes = {{
    {"F32", TensorType::f32, 4},
    {"BF16", TensorType::bf16, 2},
    {"F16", TensorType::f16, 2},
    {"F8_E4M3", TensorType::f8_e4m3, 1},
    {"F8_E8M0", TensorType::f8_e8m0, 1},
    {"I8", TensorType::i8, 1},
    {"U8", TensorType::u8, 1},
    {"I32", TensorType::i32, 4},
    {"I64", TensorType::i64, 8},
}};

const TypeRow& row_of(TensorType type) { return kTypes[static_cast<std::size_t>(type)]; }

std::optional<TensorType> find_type(std::string_view name) {
  for (const TypeRow& row : kTypes)
    if (row.name == name) return row.type;
  return std::nullopt;
}

Error damaged(std::string_view name, std::string_view what) {
  return {ErrorCode::bad_data, "tensor '" + to_printable(name) + "': " + std::string(what)};
}

Result<std::uint64_t> read_offset(const json& value) {
  if (!value.is_number_unsigned()) return fail(ErrorCode::bad_data, "not a whole number");
  return value.get<std::uint64_t>();
}

Result<Tensor> read_tensor(const std::string& name, const json& entry,
                           std::span<const std::byte> data) {
  const auto bad = [&name](std::string_view what) { return fail(damaged(name, what)); };
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets") || !entry["dtype"].is_string() ||
      !entry["shape"].is_array() || !entry["data_offsets"].is_array() ||
      entry["data_offsets"].size() != 2)
    return bad("needs dtype, shape and two data_offsets");

  Tensor tensor{name, {}, {}, {}};
  const auto& dtype = entry["dtype"].get_ref<const std::string&>();
  const auto type = find_type(dtype);
  if (!type)
    return bad("the dtype '" + to_printable(dtype) + "' is not one that this engine reads");
  tensor.type = *type;
  if (entry["shape"].size() > kTensorRankMax) return bad("too many dimensions");
  for (const json& size : entry["shape"]) {
    if (!size.is_number_unsigned()) return bad("the shape holds something else than sizes");
    tensor.shape.push_back(size.get<std::int64_t>());
  }
  const Result<std::uint64_t> begin = read_offset(entry["data_offsets"][0]);
  const Result<std::uint64_t> end = read_offset(entry["data_offsets"][1]);
  if (!begin || !end || *begin > *end) return bad("its data_offsets are not a range");
  if (*end > data.size())
    return bad("ends at byte " + std::to_string(*end) + " of the data, which has " +
               std::to_string(data.size()) + ": the file is truncated; download it again");
  const std::int64_t elements = element_count(tensor.shape);
  if (elements < 0 || static_cast<std::uint64_t>(elements) > data.size() ||
      static_cast<std::uint64_t>(elements) * bytes_of(tensor.type) != *end - *begin)
    return bad("its data_offsets hold " + std::to_string(*end - *begin) + " bytes, but " +
               std::string(name_of(tensor.type)) + " " + to_string(tensor.shape) +
               " needs another number");
  tensor.bytes = data.subspan(*begin, *end - *begin);
  return tensor;
}

Result<> refuse_overlaps(std::vector<Tensor>& tensors) {
  std::ranges::sort(tensors, {}, [](const Tensor& tensor) { return tensor.bytes.data(); });
  for (std::size_t i = 1; i < tensors.size(); ++i)
    if (tensors[i].bytes.data() < tensors[i - 1].bytes.data() + tensors[i - 1].bytes.size())
      return fail(
          damaged(tensors[i].name, "overlaps tensor '" + to_printable(tensors[i - 1].name) + "'"));
  return {};
}

}  // namespace

std::string_view name_of(TensorType type) { return row_of(type).name; }
std::size_t bytes_of(TensorType type) { return row_of(type).bytes; }

std::int64_t element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (std::int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return -1;
  return count;
}

std::string to_string(std::span<const std::int64_t> shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

Result<std::vector<Tensor>> parse_safetensors(std::span<const std::byte> file) {
  std::uint64_t header_bytes = 0;
  if (file.size() < sizeof header_bytes)
    return fail(ErrorCode::bad_data, "not a safetensors file: shorter than its header's length");
  std::memcpy(&header_bytes, file.data(), sizeof header_bytes);
  if (header_bytes > kSafetensorsHeaderBytesMax)
    return fail(ErrorCode::bad_data, "not a safetensors file: its header would have " +
                                         std::to_string(header_bytes) + " bytes");
  if (header_bytes > file.size() - sizeof header_bytes)
    return fail(ErrorCode::bad_data,
                "the header is cut off: the file is truncated; download it again");
  const auto text = file.subspan(sizeof header_bytes, header_bytes);
  const auto data = file.subspan(sizeof header_bytes + header_bytes);

  // A name may stand only once; the library's object would keep the last in silence.
  std::set<std::string> names;
  std::string twice;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1 && twice.empty() &&
        !names.insert(parsed.get<std::string>()).second)
      twice = parsed.get<std::string>();
    return true;
  };
  const auto* chars = reinterpret_cast<const char*>(text.data());
  const json header = json::parse(chars, chars + text.size(), watch, false);
  if (header.is_discarded() || !header.is_object())
    return fail(ErrorCode::bad_data,
                "the header is not a JSON object: damaged, or not a safetensors file");
  if (!twice.empty()) return fail(damaged(twice, "is there twice"));

  std::vector<Tensor> tensors;
  tensors.reserve(header.size());
  for (const auto& [name, entry] : header.items())
    if (name != "__metadata__") tensors.push_back(TRY(read_tensor(name, entry, data)));
  TRY(refuse_overlaps(tensors));
  return tensors;
}

std::string safetensors_header(std::span<const TensorHead> tensors) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::uint64_t offset = 0;
  for (const TensorHead& tensor : tensors) {
    const std::uint64_t end =
        offset + static_cast<std::uint64_t>(element_count(tensor.shape)) * bytes_of(tensor.type);
    header[tensor.name] = {
        {"dtype", name_of(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  constexpr std::size_t kAlignment = 64;
  std::uint64_t size = text.size();
  size += (kAlignment - (size + sizeof size) % kAlignment) % kAlignment;
  text.resize(size, ' ');
  std::string out(sizeof size, '\0');
  std::memcpy(out.data(), &size, sizeof size);
  return out + text;
}

}  // namespace fathom::engine
