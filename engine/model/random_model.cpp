#include "engine/model/random_model.hpp"

#include "engine/model/layout.hpp"
#include "engine/model/quant_formats.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "runtime/base/unique_fd.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace fathom::engine {
namespace {

/// splitmix64: small, portable, good enough to look like noise.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// Roughly normal, mean 0 and spread 1: four uniform numbers of 16 bits.
  float normal() {
    const std::uint64_t b = bits();
    const auto part = [b](int shift) { return static_cast<float>((b >> shift) & 0xffff); };
    constexpr float kSpread = 37837.0F;  // of the sum: 65536 * sqrt(4 / 12)
    return (part(0) + part(16) + part(32) + part(48) - 131070.0F) / kSpread;
  }

 private:
  std::uint64_t state_;
};

/// A tensor as it stands in the file, and how its bytes come about.
struct Stored {
  TensorHead head;
  const PlannedTensor* planned = nullptr;
  bool is_scale = false;
};

std::uint64_t bytes_of(const TensorHead& head) {
  return static_cast<std::uint64_t>(element_count(head.shape)) * bytes_of(head.type);
}

std::vector<Stored> stored_tensors(const std::vector<PlannedTensor>& plan) {
  std::vector<Stored> out;
  for (const PlannedTensor& planned : plan) {
    if (planned.optional) continue;
    std::vector<std::int64_t> shape = planned.shape;
    if (planned.stored == TensorType::i8) shape.back() /= 2;
    out.push_back({{planned.name, planned.stored, shape}, &planned, false});
    const auto blocks = [](std::int64_t n) { return (n + kFp8Block - 1) / kFp8Block; };
    if (planned.stored == TensorType::f8_e4m3)
      out.push_back(
          {{scale_name(planned.name), TensorType::f8_e8m0, {blocks(shape[0]), blocks(shape[1])}},
           &planned,
           true});
    if (planned.stored == TensorType::i8)
      out.push_back({{scale_name(planned.name),
                      TensorType::f8_e8m0,
                      {shape[0], planned.shape[1] / kFp4Block}},
                     &planned,
                     true});
  }
  return out;
}

/// The power of two nearest to what keeps `fan_in` terms of spread `code_spread` at spread one.
std::uint8_t scale_for(std::int64_t fan_in, double code_spread) {
  const double wanted = 1 / (code_spread * std::sqrt(static_cast<double>(fan_in)));
  return static_cast<std::uint8_t>(127 + std::lround(std::log2(wanted)));
}

class Filler {
 public:
  Filler(const ModelConfig& config, std::uint64_t seed) : c_(config), random_(seed) {}

  /// The bytes of one tensor, in pieces through `write`.
  Result<> fill(const Stored& stored, const std::function<Result<>(std::string_view)>& write) {
    const std::uint64_t total = bytes_of(stored.head);
    const std::size_t element = bytes_of(stored.head.type);
    std::string piece;
    for (std::uint64_t done = 0; done < total; done += piece.size()) {
      piece.resize(std::min<std::uint64_t>(total - done, kPiece));
      for (std::size_t at = 0; at < piece.size(); at += element)
        put(stored, (done + at) / element, &piece[at]);
      TRY(write(piece));
    }
    return {};
  }

 private:
  static constexpr std::uint64_t kPiece = 1 << 20;
  static constexpr double kFp8Spread = 32;   // of the codes that put_code makes
  static constexpr double kFp4Spread = 2.9;  // of sixteen codes, all equally often

  void put(const Stored& stored, std::uint64_t index, char* out) {
    const PlannedTensor& planned = *stored.planned;
    switch (stored.head.type) {
      case TensorType::f8_e8m0:
        *out = static_cast<char>(scale_for(
            planned.shape.back(), planned.stored == TensorType::i8 ? kFp4Spread : kFp8Spread));
        return;
      case TensorType::f8_e4m3:
        *out = static_cast<char>(to_e4m3(random_.normal() * static_cast<float>(kFp8Spread)));
        return;
      case TensorType::i8:
        *out = static_cast<char>(random_.bits());
        return;
      case TensorType::bf16: {
        const std::uint16_t bits = to_bf16(value_of(planned));
        std::memcpy(out, &bits, sizeof bits);
        return;
      }
      case TensorType::f32: {
        const float value = value_of(planned);
        std::memcpy(out, &value, sizeof value);
        return;
      }
      default: {  // experts by token id: distinct ones, so that every token has as many as it
                  // should
        const auto k = static_cast<std::int64_t>(index) % c_.experts_per_token;
        if (k == 0) first_expert_ = static_cast<std::int64_t>(random_.bits() >> 1) % c_.experts;
        const std::int64_t id = (first_expert_ + k) % c_.experts;
        std::memcpy(out, &id, sizeof id);
        return;
      }
    }
  }

  float value_of(const PlannedTensor& planned) {
    const std::string_view name = planned.name;
    if (name.ends_with("norm.weight")) return 1 + 0.1F * random_.normal();
    if (name == "embed.weight") return random_.normal();
    if (planned.role == TensorRole::matrix)
      return random_.normal() / std::sqrt(static_cast<float>(planned.shape.back()));
    return 0.3F * random_.normal();
  }

  const ModelConfig& c_;
  Random random_;
  std::int64_t first_expert_ = 0;
};

std::string shard_name(std::size_t index, std::size_t count) {
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name.data();
}

std::vector<std::vector<Stored>> into_shards(std::vector<Stored> tensors, std::uint64_t bytes_max) {
  std::vector<std::vector<Stored>> out(1);
  std::uint64_t bytes = 0;
  for (Stored& tensor : tensors) {
    if (bytes > 0 && bytes + bytes_of(tensor.head) > bytes_max) {
      out.emplace_back();
      bytes = 0;
    }
    bytes += bytes_of(tensor.head);
    out.back().push_back(std::move(tensor));
  }
  return out;
}

Result<> write_shard(const std::filesystem::path& path, const std::vector<Stored>& tensors,
                     Filler& filler, const std::function<void(std::uint64_t)>& wrote) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return fail(system_error("write " + path.string(), errno));
  std::vector<TensorHead> heads;
  heads.reserve(tensors.size());
  for (const Stored& tensor : tensors) heads.push_back(tensor.head);
  TRY(write_all(fd.get(), safetensors_header(heads), path.string()));
  for (const Stored& tensor : tensors)
    TRY(filler.fill(tensor, [&](std::string_view piece) -> Result<> {
      TRY(write_all(fd.get(), piece, path.string()));
      wrote(piece.size());
      return {};
    }));
  return {};
}

ModelConfig tiny_shape() {
  ModelConfig c;
  c.vocab_size = 512;
  c.hidden_size = 128;
  c.layers = 4;
  c.mtp_layers = 1;
  c.hash_layers = 1;
  c.heads = 8;
  c.head_dim = 96;
  c.rope_dim = 32;
  c.q_lora_rank = 128;
  c.o_groups = 2;
  c.o_lora_rank = 64;
  c.window = 16;
  c.compress_ratios = {0, 4, 16, 4, 0};
  c.rope_theta = 10000;
  c.compress_rope_theta = 160000;
  c.rope_factor = 16;
  c.rope_original_context = 256;
  c.context_max = 65536;
  c.index_heads = 4;
  c.index_head_dim = 32;
  c.index_topk = 16;
  c.experts = 8;
  c.experts_per_token = 2;
  c.expert_hidden = 128;
  c.routed_scaling = 1.5;
  c.swiglu_limit = 10;
  c.hc_mult = 4;
  c.sinkhorn_iters = 20;
  c.draft = DraftKind::mtp;
  return c;
}

ModelConfig mini_shape() {
  ModelConfig c;
  c.vocab_size = 16384;
  c.hidden_size = 2048;
  c.layers = 12;
  c.mtp_layers = 1;
  c.hash_layers = 2;
  c.heads = 32;
  c.head_dim = 512;
  c.rope_dim = 64;
  c.q_lora_rank = 1024;
  c.o_groups = 8;
  c.o_lora_rank = 512;
  c.window = 128;
  c.compress_ratios = {0, 0, 4, 128, 4, 128, 4, 128, 4, 128, 4, 128, 0};
  c.rope_theta = 10000;
  c.compress_rope_theta = 160000;
  c.rope_factor = 16;
  c.rope_original_context = 65536;
  c.context_max = 1048576;
  c.index_heads = 32;
  c.index_head_dim = 128;
  c.index_topk = 512;
  c.experts = 32;
  c.experts_per_token = 6;
  c.expert_hidden = 1024;
  c.routed_scaling = 1.5;
  c.swiglu_limit = 10;
  c.hc_mult = 4;
  c.sinkhorn_iters = 20;
  c.draft = DraftKind::mtp;
  return c;
}

}  // namespace

std::vector<std::string_view> shape_names() { return {"tiny", "mini"}; }

Result<ModelConfig> named_shape(std::string_view name) {
  if (name == "tiny") return tiny_shape();
  if (name == "mini") return mini_shape();
  const auto names = shape_names();
  const std::string_view like = nearest(name, names);
  return fail(ErrorCode::usage,
              "unknown shape '" + std::string(name) + "'" +
                  (like.empty() ? std::string(" (there are tiny and mini)")
                                : " (did you mean '" + std::string(like) + "'?)"));
}

std::uint64_t checkpoint_bytes(const ModelConfig& config) {
  std::uint64_t sum = 0;
  for (const Stored& tensor : stored_tensors(plan_tensors(config))) sum += bytes_of(tensor.head);
  return sum;
}

Result<> write_random_model(const ModelConfig& config, const std::filesystem::path& dir,
                            const RandomModelOptions& options) {
  TRY(validate(config));
  std::error_code ec;
  if (std::filesystem::exists(dir, ec) && !std::filesystem::is_empty(dir, ec))
    return fail(ErrorCode::in_use,
                dir.string() + ": exists and is not empty: choose another folder");
  std::filesystem::create_directories(dir, ec);
  if (ec) return fail(system_error("create " + dir.string(), ec.value()));

  const std::vector<PlannedTensor> plan = plan_tensors(config);
  const auto shards = into_shards(stored_tensors(plan), options.shard_bytes_max);
  Filler filler(config, options.seed);
  const std::uint64_t total = checkpoint_bytes(config);
  std::uint64_t done = 0;
  nlohmann::ordered_json map;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    TRY(write_shard(dir / name, shards[i], filler, [&](std::uint64_t bytes) {
      done += bytes;
      if (options.progress) options.progress(done, total);
    }));
    for (const Stored& tensor : shards[i]) map[tensor.head.name] = name;
  }
  const nlohmann::ordered_json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  TRY(write_file_atomic(dir / "model.safetensors.index.json", index.dump(1) + "\n", Sync::no));
  // Last, because a folder with a config.json is a whole checkpoint.
  return write_file_atomic(dir / "config.json", to_json(config), Sync::no);
}

}  // namespace fathom::engine
