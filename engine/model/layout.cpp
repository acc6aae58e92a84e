#include "engine/model/layout.hpp"

#include "engine/model/weight_matrix.hpp"
#include "runtime/base/text.hpp"

#include <set>
#include <utility>

namespace fathom::engine {
namespace {

using Shape = std::vector<std::int64_t>;

class Planner {
 public:
  explicit Planner(const ModelConfig& config) : c_(config) {}

  std::vector<PlannedTensor> plan() {
    matrix("embed.weight", {c_.vocab_size, c_.hidden_size});
    for (std::int64_t layer = 0; layer < c_.layers; ++layer)
      add_layer("layers." + std::to_string(layer) + ".", layer);
    add_head("");
    matrix("head.weight", {c_.vocab_size, c_.hidden_size});
    if (c_.mtp_layers > 0) add_mtp();
    return std::move(out_);
  }

 private:
  void add(std::string name, TensorRole role, Shape shape, TensorType stored,
           bool optional = false) {
    out_.push_back({std::move(name), role, std::move(shape), stored, optional});
  }
  void linear(const std::string& name, std::int64_t out, std::int64_t in) {
    add(name + ".weight", TensorRole::linear, {out, in}, TensorType::f8_e4m3);
  }
  void expert(const std::string& name, std::int64_t out, std::int64_t in) {
    add(name + ".weight", TensorRole::expert, {out, in}, TensorType::i8);
  }
  void matrix(std::string name, Shape shape) {
    add(std::move(name), TensorRole::matrix, std::move(shape), TensorType::bf16);
  }
  void norm(std::string name, std::int64_t size) {
    add(std::move(name), TensorRole::values, {size}, TensorType::bf16);
  }
  void values(std::string name, Shape shape) {
    add(std::move(name), TensorRole::values, std::move(shape), TensorType::f32);
  }

  void add_hyper_connection(const std::string& prefix) {
    add(prefix + "_fn", TensorRole::matrix, {c_.hc_rows(), c_.hc_mult * c_.hidden_size},
        TensorType::f32);
    values(prefix + "_base", {c_.hc_rows()});
    values(prefix + "_scale", {3});
  }

  void add_compressor(const std::string& prefix, std::int64_t ratio, std::int64_t dim) {
    const std::int64_t columns = (ratio == kCsaRatio ? 2 : 1) * dim;
    values(prefix + "ape", {ratio, columns});
    matrix(prefix + "wkv.weight", {columns, c_.hidden_size});
    matrix(prefix + "wgate.weight", {columns, c_.hidden_size});
    norm(prefix + "norm.weight", dim);
  }

  void add_attention(const std::string& prefix, std::int64_t layer) {
    linear(prefix + "wq_a", c_.q_lora_rank, c_.hidden_size);
    norm(prefix + "q_norm.weight", c_.q_lora_rank);
    linear(prefix + "wq_b", c_.heads * c_.head_dim, c_.q_lora_rank);
    linear(prefix + "wkv", c_.head_dim, c_.hidden_size);
    norm(prefix + "kv_norm.weight", c_.head_dim);
    values(prefix + "attn_sink", {c_.heads});
    linear(prefix + "wo_a", c_.o_groups * c_.o_lora_rank, c_.heads * c_.head_dim / c_.o_groups);
    linear(prefix + "wo_b", c_.hidden_size, c_.o_groups * c_.o_lora_rank);
    const std::int64_t ratio = c_.ratio(layer);
    if (ratio > 0) add_compressor(prefix + "compressor.", ratio, c_.head_dim);
    if (c_.kind(layer) != AttentionKind::csa) return;
    linear(prefix + "indexer.wq_b", c_.index_heads * c_.index_head_dim, c_.q_lora_rank);
    matrix(prefix + "indexer.weights_proj.weight", {c_.index_heads, c_.hidden_size});
    add_compressor(prefix + "indexer.compressor.", ratio, c_.index_head_dim);
  }

  void add_moe(const std::string& prefix, std::int64_t layer) {
    matrix(prefix + "gate.weight", {c_.experts, c_.hidden_size});
    if (layer < c_.hash_layers)
      add(prefix + "gate.tid2eid", TensorRole::table, {c_.vocab_size, c_.experts_per_token},
          TensorType::i64);
    else
      values(prefix + "gate.bias", {c_.experts});
    for (std::int64_t e = 0; e < c_.experts; ++e) {
      const std::string name = prefix + "experts." + std::to_string(e) + ".";
      expert(name + "w1", c_.expert_hidden, c_.hidden_size);
      expert(name + "w2", c_.hidden_size, c_.expert_hidden);
      expert(name + "w3", c_.expert_hidden, c_.hidden_size);
    }
    linear(prefix + "shared_experts.w1", c_.expert_hidden, c_.hidden_size);
    linear(prefix + "shared_experts.w2", c_.hidden_size, c_.expert_hidden);
    linear(prefix + "shared_experts.w3", c_.expert_hidden, c_.hidden_size);
  }

  void add_layer(const std::string& prefix, std::int64_t layer) {
    add_hyper_connection(prefix + "hc_attn");
    norm(prefix + "attn_norm.weight", c_.hidden_size);
    add_attention(prefix + "attn.", layer);
    add_hyper_connection(prefix + "hc_ffn");
    norm(prefix + "ffn_norm.weight", c_.hidden_size);
    add_moe(prefix + "ffn.", layer);
  }

  void add_head(const std::string& prefix) {
    add(prefix + "hc_head_fn", TensorRole::matrix, {c_.hc_mult, c_.hc_mult * c_.hidden_size},
        TensorType::f32);
    values(prefix + "hc_head_base", {c_.hc_mult});
    values(prefix + "hc_head_scale", {1});
    norm(prefix + "norm.weight", c_.hidden_size);
  }

  void add_mtp() {
    const std::string prefix = "mtp.0.";
    linear(prefix + "e_proj", c_.hidden_size, c_.hidden_size);
    linear(prefix + "h_proj", c_.hidden_size, c_.hidden_size);
    norm(prefix + "enorm.weight", c_.hidden_size);
    norm(prefix + "hnorm.weight", c_.hidden_size);
    add_layer(prefix, c_.layers);
    add_head(prefix);
    const Shape embedding = {c_.vocab_size, c_.hidden_size};
    add(prefix + "emb.tok_emb.weight", TensorRole::matrix, embedding, TensorType::bf16, true);
    add(prefix + "head.weight", TensorRole::matrix, embedding, TensorType::bf16, true);
  }

  const ModelConfig& c_;
  std::vector<PlannedTensor> out_;
};

std::int64_t blocks(std::int64_t size, std::int64_t block) { return (size + block - 1) / block; }

/// What a scale tensor's shape must be beside a weight of `type`; empty when there is none.
Shape scale_shape(const PlannedTensor& planned, TensorType type) {
  if (type == TensorType::f8_e4m3)
    return {blocks(planned.shape[0], kFp8Block), blocks(planned.shape[1], kFp8Block)};
  if (type == TensorType::i8 || type == TensorType::u8)
    return {planned.shape[0], planned.shape[1] / kFp4Block};
  return {};
}

bool may_be(TensorRole role, TensorType type) {
  switch (type) {
    case TensorType::f32:
    case TensorType::bf16:
      return role != TensorRole::table;
    case TensorType::f8_e4m3:
      return role == TensorRole::linear || role == TensorRole::expert;
    case TensorType::i8:
    case TensorType::u8:
      return role == TensorRole::expert;
    case TensorType::i32:
    case TensorType::i64:
      return role == TensorRole::table;
    default:
      return false;
  }
}

/// Gathers every difference, so that one run tells the whole story.
class Comparison {
 public:
  explicit Comparison(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  void compare(const PlannedTensor& planned) {
    const Tensor* tensor = take(planned.name);
    if (!tensor) {
      if (!planned.optional) note("missing: " + planned.name);
      return;
    }
    if (!may_be(planned.role, tensor->type))
      return note(planned.name + ": has dtype " + std::string(name_of(tensor->type)) +
                  ", a release has " + std::string(name_of(planned.stored)));
    Shape shape = planned.shape;
    if (tensor->type == TensorType::i8 || tensor->type == TensorType::u8) shape.back() /= 2;
    if (tensor->shape != shape)
      note(planned.name + ": has shape " + to_string(tensor->shape) + ", config.json implies " +
           to_string(shape));
    compare_scale(planned, tensor->type);
  }

  Result<> finish() {
    for (const auto& [name, tensor] : checkpoint_.tensors())
      if (!used_.contains(name)) note("unknown: " + to_printable(name));
    if (count_ == 0) return {};
    if (count_ > kLayoutProblemsShownMax)
      text_ += "; and " + std::to_string(count_ - kLayoutProblemsShownMax) + " more";
    return fail(ErrorCode::bad_data, "the tensors do not fit config.json: " + text_);
  }

  /// Names below `prefix` belong to something that this engine does not run.
  void ignore(std::string_view prefix) {
    for (const auto& [name, tensor] : checkpoint_.tensors())
      if (name.starts_with(prefix)) used_.insert(name);
  }

 private:
  const Tensor* take(std::string_view name) {
    const Tensor* tensor = checkpoint_.find(name);
    if (tensor) used_.insert(tensor->name);
    return tensor;
  }

  void compare_scale(const PlannedTensor& planned, TensorType type) {
    const Shape wanted = scale_shape(planned, type);
    if (wanted.empty()) return;
    const std::string name = scale_name(planned.name);
    const Tensor* scale = take(name);
    if (!scale) return note("missing: " + name);
    if (scale->type != TensorType::f8_e8m0 && scale->type != TensorType::u8)
      note(name + ": has dtype " + std::string(name_of(scale->type)) + ", must be F8_E8M0");
    if (scale->shape != wanted)
      note(name + ": has shape " + to_string(scale->shape) + ", must be " + to_string(wanted));
  }

  void note(const std::string& problem) {
    if (count_++ >= kLayoutProblemsShownMax) return;
    text_ += (text_.empty() ? "" : "; ") + problem;
  }

  const Checkpoint& checkpoint_;
  std::set<std::string, std::less<>> used_;
  std::string text_;
  std::size_t count_ = 0;
};

}  // namespace

std::vector<PlannedTensor> plan_tensors(const ModelConfig& config) {
  return Planner(config).plan();
}

std::string scale_name(std::string_view weight_name) {
  constexpr std::string_view kWeight = "weight";
  return std::string(weight_name.substr(0, weight_name.size() - kWeight.size())) + "scale";
}

Result<> check_layout(const Checkpoint& checkpoint, const ModelConfig& config) {
  Comparison comparison(checkpoint);
  for (const PlannedTensor& planned : plan_tensors(config)) comparison.compare(planned);
  if (config.draft != DraftKind::mtp) comparison.ignore("mtp.");
  return comparison.finish();
}

std::vector<std::string> narrowed_tensors(const Checkpoint& checkpoint, const ModelConfig& config) {
  std::vector<std::string> out;
  for (const PlannedTensor& planned : plan_tensors(config)) {
    const Tensor* tensor = checkpoint.find(planned.name);
    if (planned.stored == TensorType::f32 && tensor && tensor->type == TensorType::bf16)
      out.push_back(planned.name);
  }
  return out;
}

}  // namespace fathom::engine
