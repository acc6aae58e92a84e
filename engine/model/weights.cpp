#include "engine/model/weights.hpp"

#include "engine/model/fingerprint.hpp"
#include "engine/model/layout.hpp"
#include "engine/model/quant_formats.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace fathom::engine {
namespace {

constexpr std::size_t kLookedAtBytesMax = 4 << 20;  // of a matrix, when it is loaded

/// The layout was checked before: only values can still be wrong, and the first that is becomes the
/// answer.
class Binder {
 public:
  Binder(const ModelConfig& config, const Checkpoint& checkpoint)
      : c_(config), checkpoint_(checkpoint) {}

  Layer layer(const std::string& prefix, std::int64_t index) {
    Layer out;
    out.kind = c_.kind(index);
    out.ratio = c_.ratio(index);
    out.hc_attn = hyper_connection(prefix + "hc_attn");
    out.attn_norm = values(prefix + "attn_norm.weight");
    out.attention = attention(prefix + "attn.", index);
    out.hc_ffn = hyper_connection(prefix + "hc_ffn");
    out.ffn_norm = values(prefix + "ffn_norm.weight");
    out.moe = moe(prefix + "ffn.", index);
    return out;
  }

  OutputHead output(const std::string& prefix) {
    OutputHead out;
    out.hc_fn = matrix(prefix + "hc_head_fn");
    out.hc_base = values(prefix + "hc_head_base");
    out.hc_scale = values(prefix + "hc_head_scale").front();
    out.norm = values(prefix + "norm.weight");
    return out;
  }

  MtpBlock mtp() {
    MtpBlock out;
    out.e_proj = matrix("mtp.0.e_proj.weight");
    out.h_proj = matrix("mtp.0.h_proj.weight");
    out.enorm = values("mtp.0.enorm.weight");
    out.hnorm = values("mtp.0.hnorm.weight");
    out.layer = layer("mtp.0.", c_.layers);
    out.output = output("mtp.0.");
    return out;
  }

  WeightMatrix matrix(const std::string& name) {
    const Tensor& tensor = get(name);
    WeightMatrix out;
    out.rows = tensor.shape[0];
    out.cols = tensor.shape[1];
    out.data = tensor.bytes.data();
    // What is small is looked at now; the rest would be gigabytes (fathom model verify).
    if (tensor.bytes.size() <= kLookedAtBytesMax) check_numbers(tensor);
    switch (tensor.type) {
      case TensorType::f32:
        out.format = WeightFormat::f32;
        return out;
      case TensorType::bf16:
        out.format = WeightFormat::bf16;
        return out;
      case TensorType::f8_e4m3:
        out.format = WeightFormat::fp8;
        check_numbers(get(scale_name(name)));
        break;
      default:
        out.format = WeightFormat::fp4;
        out.cols *= 2;  // two elements a byte
    }
    out.scales = reinterpret_cast<const std::uint8_t*>(get(scale_name(name)).bytes.data());
    return out;
  }

  std::vector<float> values(const std::string& name) {
    const Tensor& tensor = get(name);
    std::vector<float> out(static_cast<std::size_t>(element_count(tensor.shape)));
    if (tensor.type == TensorType::f32) {
      std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
    } else {
      for (std::size_t i = 0; i < out.size(); ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, tensor.bytes.data() + 2 * i, 2);
        out[i] = from_bf16(bits);
      }
    }
    for (std::size_t i = 0; i < out.size(); ++i)
      if (!std::isfinite(out[i]))
        note(name + ": element " + std::to_string(i) +
             " is not a finite number: the file is damaged");
    return out;
  }

  [[nodiscard]] Result<> problem() const {
    if (!problem_) return {};
    return fail(*problem_);
  }

 private:
  const Tensor& get(const std::string& name) {
    const Tensor* tensor = checkpoint_.find(name);
    ENSURE(tensor != nullptr, "check_layout found every planned tensor");
    return *tensor;
  }

  void check_numbers(const Tensor& tensor) {
    const auto bad =
        first_not_a_number(is_scale(tensor) ? TensorType::f8_e8m0 : tensor.type, tensor.bytes);
    if (bad)
      note(tensor.name + ": element " + std::to_string(*bad) +
           " is not a finite number: the file is damaged");
  }

  void note(std::string message) {
    if (!problem_) problem_ = Error{ErrorCode::bad_data, std::move(message)};
  }

  HyperConnection hyper_connection(const std::string& prefix) {
    HyperConnection out;
    out.fn = matrix(prefix + "_fn");
    out.base = values(prefix + "_base");
    const std::vector<float> scale = values(prefix + "_scale");
    std::ranges::copy(scale, out.scale.begin());
    return out;
  }

  Compressor compressor(const std::string& prefix, std::int64_t ratio, std::int64_t dim) {
    Compressor out;
    out.ratio = ratio;
    out.dim = dim;
    out.ape = values(prefix + "ape");
    out.wkv = matrix(prefix + "wkv.weight");
    out.wgate = matrix(prefix + "wgate.weight");
    out.norm = values(prefix + "norm.weight");
    return out;
  }

  AttentionWeights attention(const std::string& prefix, std::int64_t index) {
    AttentionWeights out;
    out.wq_a = matrix(prefix + "wq_a.weight");
    out.q_norm = values(prefix + "q_norm.weight");
    out.wq_b = matrix(prefix + "wq_b.weight");
    out.wkv = matrix(prefix + "wkv.weight");
    out.kv_norm = values(prefix + "kv_norm.weight");
    out.sink = values(prefix + "attn_sink");
    out.wo_a = matrix(prefix + "wo_a.weight");
    out.wo_b = matrix(prefix + "wo_b.weight");
    const std::int64_t ratio = c_.ratio(index);
    if (ratio > 0) out.compressor = compressor(prefix + "compressor.", ratio, c_.head_dim);
    if (c_.kind(index) == AttentionKind::csa)
      out.indexer = Indexer{matrix(prefix + "indexer.wq_b.weight"),
                            matrix(prefix + "indexer.weights_proj.weight"),
                            compressor(prefix + "indexer.compressor.", ratio, c_.index_head_dim)};
    return out;
  }

  Expert expert(const std::string& prefix) {
    const Expert out{matrix(prefix + "w1.weight"), matrix(prefix + "w2.weight"),
                     matrix(prefix + "w3.weight")};
    if (out.w1.format != out.w3.format) note(prefix + "w1 and w3 are stored in different formats");
    return out;
  }

  ExpertTable table(const std::string& name) {
    const Tensor& tensor = get(name);
    const ExpertTable out{tensor.bytes.data(), tensor.type, c_.experts_per_token};
    for (std::int64_t token = 0; token < c_.vocab_size; ++token)
      for (std::int64_t k = 0; k < c_.experts_per_token; ++k)
        if (const std::int64_t id = out.at(token, k); id < 0 || id >= c_.experts)
          note(name + ": token " + std::to_string(token) + " is sent to expert " +
               std::to_string(id) + " of " + std::to_string(c_.experts));
    return out;
  }

  Moe moe(const std::string& prefix, std::int64_t index) {
    Moe out;
    out.gate = matrix(prefix + "gate.weight");
    if (index < c_.hash_layers)
      out.table = table(prefix + "gate.tid2eid");
    else
      out.bias = values(prefix + "gate.bias");
    for (std::int64_t e = 0; e < c_.experts; ++e)
      out.experts.push_back(expert(prefix + "experts." + std::to_string(e) + "."));
    out.shared = expert(prefix + "shared_experts.");
    return out;
  }

  const ModelConfig& c_;
  const Checkpoint& checkpoint_;
  std::optional<Error> problem_;
};

}  // namespace

std::int64_t ExpertTable::at(std::int64_t token, std::int64_t k) const {
  const std::int64_t index = token * per_token + k;
  if (type == TensorType::i32) {
    std::int32_t id = 0;
    std::memcpy(&id, data + 4 * index, 4);
    return id;
  }
  std::int64_t id = 0;
  std::memcpy(&id, data + 8 * index, 8);
  return id;
}

Result<Weights> Weights::load(const std::filesystem::path& dir) {
  ModelConfig config = TRY(load_config(dir));
  Checkpoint checkpoint = TRY(Checkpoint::open(dir));
  auto weights = bind(std::move(config), std::move(checkpoint));
  if (!weights) return fail(context(dir.string(), std::move(weights).error()));
  return weights;
}

Result<Weights> Weights::bind(ModelConfig config, Checkpoint checkpoint) {
  TRY(check_layout(checkpoint, config));
  Weights out;
  out.config = std::move(config);
  out.checkpoint = std::move(checkpoint);
  Binder binder(out.config, out.checkpoint);
  out.embed = binder.matrix("embed.weight");
  for (std::int64_t layer = 0; layer < out.config.layers; ++layer)
    out.layers.push_back(binder.layer("layers." + std::to_string(layer) + ".", layer));
  out.output = binder.output("");
  out.head = binder.matrix("head.weight");
  if (out.config.mtp_layers > 0) out.mtp = binder.mtp();
  TRY(binder.problem());
  return out;
}

}  // namespace fathom::engine
