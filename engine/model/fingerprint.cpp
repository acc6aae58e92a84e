#include "engine/model/fingerprint.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

namespace fathom::engine {
namespace {

constexpr std::size_t kPiece = std::size_t{4} << 20;

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

class Hash {
 public:
  Hash() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }
  void update(const void* data, std::size_t size) { XXH3_128bits_update(state_.get(), data, size); }
  [[nodiscard]] XXH128_hash_t digest() const { return XXH3_128bits_digest(state_.get()); }

 private:
  std::unique_ptr<XXH3_state_t, FreeState> state_;
};

}  // namespace

std::optional<std::size_t> first_not_a_number(TensorType type, std::span<const std::byte> bytes) {
  const auto find = [&]<class Word>(Word mask, Word bad) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < bytes.size() / sizeof(Word); ++i) {
      Word word;
      std::memcpy(&word, bytes.data() + i * sizeof(Word), sizeof(Word));
      if ((word & mask) == bad) return i;
    }
    return std::nullopt;
  };
  switch (type) {
    case TensorType::f32:
      return find(std::uint32_t{0x7f800000}, std::uint32_t{0x7f800000});
    case TensorType::bf16:
      return find(std::uint16_t{0x7f80}, std::uint16_t{0x7f80});
    case TensorType::f8_e4m3:
      return find(std::uint8_t{0x7f}, std::uint8_t{0x7f});
    case TensorType::f8_e8m0:
      return find(std::uint8_t{0xff}, std::uint8_t{0xff});
    default:
      return std::nullopt;  // every code is a number
  }
}

bool is_scale(const Tensor& tensor) {
  return tensor.type == TensorType::f8_e8m0 ||
         (tensor.type == TensorType::u8 && tensor.name.ends_with(".scale"));
}

ScanReport scan_weights(
    const Checkpoint& checkpoint,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  ScanReport out;
  const std::uint64_t total = checkpoint.bytes();
  std::uint64_t done = 0;
  Hash all;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    Hash hash;
    const TensorType stored = is_scale(tensor) ? TensorType::f8_e8m0 : tensor.type;
    for (std::size_t at = 0; at < tensor.bytes.size(); at += kPiece) {
      const auto piece = tensor.bytes.subspan(at, std::min(kPiece, tensor.bytes.size() - at));
      hash.update(piece.data(), piece.size());
      if (const auto bad = first_not_a_number(stored, piece)) {
        if (out.problem_count++ < kScanProblemsMax)
          out.problems.push_back(name + ": element " +
                                 std::to_string(at / bytes_of(tensor.type) + *bad) +
                                 " is not a finite number");
      }
      done += piece.size();
      if (progress) progress(done, total);
    }
    const XXH128_hash_t digest = hash.digest();
    const std::string head =
        name + '\0' + std::string(name_of(tensor.type)) + to_string(tensor.shape);
    all.update(head.data(), head.size() + 1);
    all.update(&digest, sizeof digest);
  }
  const XXH128_hash_t digest = all.digest();
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(digest.high64),
                static_cast<unsigned long long>(digest.low64));
  out.fingerprint = text.data();
  return out;
}

}  // namespace fathom::engine
