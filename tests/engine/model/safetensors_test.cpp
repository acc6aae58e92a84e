#include "engine/model/safetensors.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstring>
#include <random>

using namespace fathom;
using namespace fathom::engine;

namespace {

/// A file with this header and `data_bytes` zeros behind it.
std::vector<std::byte> file_with(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t size = header.size();
  std::vector<std::byte> out(8 + header.size() + data_bytes);
  std::memcpy(out.data(), &size, 8);
  std::ranges::copy(std::as_bytes(std::span(header)), out.begin() + 8);
  return out;
}

std::string refusal(const std::string& header, std::size_t data_bytes = 16) {
  const auto file = file_with(header, data_bytes);
  const auto tensors = parse_safetensors(file);
  return tensors ? "accepted" : tensors.error().message;
}

std::vector<std::byte> good_file() {
  const std::vector<TensorHead> heads = {{"a.weight", TensorType::f8_e4m3, {2, 3}},
                                         {"b", TensorType::f32, {2}},
                                         {"empty", TensorType::i64, {0, 7}}};
  const std::string header = safetensors_header(heads);
  std::vector<std::byte> out(header.size() + 14);
  std::ranges::copy(std::as_bytes(std::span(header)), out.begin());
  return out;
}

}  // namespace

TEST_CASE("what is written is read back, in place", "[engine]") {
  const auto file = good_file();
  const auto tensors = parse_safetensors(file);
  if (!tensors) FAIL(tensors.error().message);
  REQUIRE(tensors->size() == 3);
  const auto b = std::ranges::find(*tensors, "b", &Tensor::name);
  CHECK(b->shape == std::vector<std::int64_t>{2});
  CHECK(b->bytes.data() == file.data() + file.size() - 8);
  CHECK(b->bytes.size() == 8);
}

TEST_CASE("a header that lies about its bytes is refused", "[engine]") {
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}})") ==
        "tensor 'a': ends at byte 20 of the data, which has 16: the file is truncated; download it "
        "again");
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}})") ==
        "tensor 'a': its data_offsets hold 16 bytes, but F32 [3] needs another number");
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})") ==
        "tensor 'a': its data_offsets are not a range");
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[-16,0]}})") ==
        "tensor 'a': its data_offsets are not a range");
  CHECK(
      refusal(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}})") ==
      "tensor 'a': its data_offsets hold 0 bytes, but F32 [4294967296, 4294967296, 4] needs "
      "another number");
  CHECK(refusal(R"({"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}})") ==
        "tensor 'a': the dtype 'F64' is not one that this engine reads");
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                    "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})") ==
        "tensor 'b': overlaps tensor 'a'");
  CHECK(refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
                    "a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})") ==
        "tensor 'a': is there twice");
  CHECK(refusal(R"({"a":[1,2]})") == "tensor 'a': needs dtype, shape and two data_offsets");
  CHECK(refusal("[]") == "the header is not a JSON object: damaged, or not a safetensors file");
}

TEST_CASE("a file cut anywhere is refused, never read past its end", "[engine]") {
  const auto whole = good_file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of its own, so that the sanitizer sees a read behind the cut.
    const std::vector<std::byte> cut(whole.begin(),
                                     whole.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE_FALSE(parse_safetensors(cut).has_value());
  }
}

TEST_CASE("any changed byte of the header gives an answer, not a crash", "[engine]") {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    auto file = good_file();
    for (int changes = 0; changes < 1 + i % 3; ++changes)
      file[random() % file.size()] = static_cast<std::byte>(random());
    const auto tensors = parse_safetensors(file);
    if (!tensors) continue;
    for (const Tensor& tensor : *tensors) {
      REQUIRE(tensor.bytes.data() >= file.data());
      REQUIRE(tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size());
    }
  }
}

TEST_CASE("a big-endian header length is refused", "[engine]") {
  auto file = good_file();
  std::reverse(file.begin(), file.begin() + 8);
  CHECK(parse_safetensors(file).error().message.starts_with(
      "not a safetensors file: its header would have"));
}
