#include "engine/model/config.hpp"

#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <set>
#include <string>
#include <variant>

namespace fathom::engine {
namespace {

using nlohmann::json;

constexpr std::int64_t kDimensionMax = std::int64_t{1} << 20;
constexpr std::int64_t kContextMax = std::int64_t{1}
                                     << 24;  // rope angles are f32: exact up to here
constexpr std::int64_t kLayersMax = 512;
constexpr std::int64_t kExpertsMax = std::int64_t{1} << 18;  // of all layers; Pro has 23,424
constexpr std::int64_t kHcMultMax = 8;

using IntMember = std::int64_t ModelConfig::*;
using RealMember = double ModelConfig::*;

/// One number of config.json under its two names. A field without `required` keeps its default.
struct Field {
  std::string_view release;
  std::string_view reference;
  std::variant<IntMember, RealMember> member;
  double min;
  double max;
  bool required = true;
};

constexpr double kDim = static_cast<double>(kDimensionMax);

const std::array kFields = {
    Field{"vocab_size", "vocab_size", &ModelConfig::vocab_size, 2, kDim * 4},
    Field{"hidden_size", "dim", &ModelConfig::hidden_size, 1, kDim},
    Field{"num_hidden_layers", "n_layers", &ModelConfig::layers, 1, kLayersMax},
    Field{"num_hash_layers", "n_hash_layers", &ModelConfig::hash_layers, 0, kLayersMax},
    Field{"num_attention_heads", "n_heads", &ModelConfig::heads, 1, 4096},
    Field{"head_dim", "head_dim", &ModelConfig::head_dim, 1, 4096},
    Field{"qk_rope_head_dim", "rope_head_dim", &ModelConfig::rope_dim, 2, 4096},
    Field{"q_lora_rank", "q_lora_rank", &ModelConfig::q_lora_rank, 1, kDim},
    Field{"o_groups", "o_groups", &ModelConfig::o_groups, 1, 4096},
    Field{"o_lora_rank", "o_lora_rank", &ModelConfig::o_lora_rank, 1, kDim},
    Field{"sliding_window", "window_size", &ModelConfig::window, 1, 65536},
    Field{"rope_theta", "rope_theta", &ModelConfig::rope_theta, 1, 1e12},
    Field{"compress_rope_theta", "compress_rope_theta", &ModelConfig::compress_rope_theta, 1, 1e12},
    Field{"index_n_heads", "index_n_heads", &ModelConfig::index_heads, 0, 4096, false},
    Field{"index_head_dim", "index_head_dim", &ModelConfig::index_head_dim, 0, 256, false},
    Field{"index_topk", "index_topk", &ModelConfig::index_topk, 0, 65536, false},
    Field{"n_routed_experts", "n_routed_experts", &ModelConfig::experts, 1, 65536},
    Field{"num_experts_per_tok", "n_activated_experts", &ModelConfig::experts_per_token, 1, 64},
    Field{"moe_intermediate_size", "moe_inter_dim", &ModelConfig::expert_hidden, 1, kDim},
    Field{"routed_scaling_factor", "route_scale", &ModelConfig::routed_scaling, 1e-6, 1e6},
    Field{"swiglu_limit", "swiglu_limit", &ModelConfig::swiglu_limit, 0, 1e6},
    Field{"hc_mult", "hc_mult", &ModelConfig::hc_mult, 1, kHcMultMax},
    Field{"hc_sinkhorn_iters", "hc_sinkhorn_iters", &ModelConfig::sinkhorn_iters, 1, 1000},
    Field{"hc_eps", "hc_eps", &ModelConfig::hc_eps, 0, 1, false},
    Field{"rms_norm_eps", "norm_eps", &ModelConfig::norm_eps, 0, 1, false},
    Field{"max_position_embeddings", "max_seq_len", &ModelConfig::context_max, 1, kContextMax},
    Field{"bos_token_id", "bos_token_id", &ModelConfig::bos_id, 0, kDim * 4, false},
    Field{"eos_token_id", "eos_token_id", &ModelConfig::eos_id, 0, kDim * 4, false},
};

/// YaRN: members of rope_scaling in the release, top-level keys of the reference.
const std::array kRopeFields = {
    Field{"factor", "rope_factor", &ModelConfig::rope_factor, 1, 1e6},
    Field{"original_max_position_embeddings", "original_seq_len",
          &ModelConfig::rope_original_context, 0, kContextMax},
    Field{"beta_fast", "beta_fast", &ModelConfig::rope_beta_fast, 1e-3, 1e6},
    Field{"beta_slow", "beta_slow", &ModelConfig::rope_beta_slow, 1e-3, 1e6},
};

/// Keys whose value decides nothing here, or is the only one that this engine computes.
struct Expected {
  std::string_view key;
  json value;  ///< null: any
};

const std::vector<Expected>& expected_keys() {
  static const std::vector<Expected> keys = {
      {"model_type", "deepseek_v4"},
      {"architectures", json::array({"DeepseekV4ForCausalLM"})},
      {"num_key_value_heads", 1},
      {"n_shared_experts", 1},
      {"scoring_func", "sqrtsoftplus"},
      {"score_func", "sqrtsoftplus"},
      {"norm_topk_prob", true},
      {"topk_method", "noaux_tc"},
      {"hidden_act", "silu"},
      {"tie_word_embeddings", false},
      {"attention_bias", false},
      {"scale_fmt", "ue8m0"},
      {"attention_dropout", nullptr},
      {"initializer_range", nullptr},
      {"use_cache", nullptr},
      {"torch_dtype", nullptr},
      {"dtype", nullptr},
      {"transformers_version", nullptr},
      {"pad_token_id", nullptr},
      {"expert_dtype", nullptr},
      {"max_batch_size", nullptr},
      {"dspark_noise_token_id", nullptr},
      {"dspark_target_layer_ids", nullptr},
      {"dspark_markov_rank", nullptr},
  };
  return keys;
}

std::string in_quotes(std::string_view key) { return "'" + std::string(key) + "'"; }

class Reader {
 public:
  explicit Reader(const json& object)
      : object_(object), release_style_(object.contains("hidden_size")) {}

  Result<ModelConfig> read() {
    if (object_.contains("text_config"))
      return fail(
          ErrorCode::unsupported,
          "a nested 'text_config' is the V4.1 architecture, which this engine does not run");
    TRY(check_expected());
    for (const Field& field : kFields) TRY(read_field(object_, field, field_name(field)));
    TRY(read_rope());
    TRY(read_ratios());
    TRY(read_draft());
    TRY(check_quantization());
    TRY(refuse_unknown());
    TRY(validate(config_));
    return config_;
  }

 private:
  [[nodiscard]] std::string_view field_name(const Field& field) const {
    return release_style_ ? field.release : field.reference;
  }

  const json* take(const json& object, std::string_view key) {
    const auto found = object.find(key);
    if (&object == &object_) known_.emplace(key);
    return found == object.end() ? nullptr : &*found;
  }

  Result<> check_expected() {
    for (const Expected& expected : expected_keys()) {
      const json* value = take(object_, expected.key);
      if (!value || expected.value.is_null() || *value == expected.value) continue;
      return fail(ErrorCode::unsupported, in_quotes(expected.key) + " is " + value->dump() +
                                              ": this engine computes only " +
                                              expected.value.dump());
    }
    return {};
  }

  Result<> read_field(const json& object, const Field& field, std::string_view key) {
    const json* value = take(object, key);
    if (!value) {
      if (!field.required) return {};
      return fail(ErrorCode::bad_data, in_quotes(key) + " is missing");
    }
    const bool whole = std::holds_alternative<IntMember>(field.member);
    if (whole ? !value->is_number_integer() : !value->is_number())
      return fail(ErrorCode::bad_data, in_quotes(key) + " must be a " +
                                           (whole ? "whole number" : "number") + ", not " +
                                           clip(value->dump()));
    const double number = value->get<double>();
    if (!(number >= field.min && number <= field.max))
      return fail(ErrorCode::bad_data, in_quotes(key) + " is " + value->dump() + ": must be from " +
                                           json(field.min).dump() + " to " +
                                           json(field.max).dump());
    if (whole)
      config_.*std::get<IntMember>(field.member) = value->get<std::int64_t>();
    else
      config_.*std::get<RealMember>(field.member) = number;
    return {};
  }

  static std::string clip(const std::string& text) {
    return text.size() <= 60 ? text : text.substr(0, 57) + "…";
  }

  Result<> read_rope() {
    if (!release_style_) {
      for (const Field& field : kRopeFields) TRY(read_field(object_, field, field.reference));
      return {};
    }
    const json* scaling = take(object_, "rope_scaling");
    if (!scaling || scaling->is_null()) return {};
    if (!scaling->is_object()) return fail(ErrorCode::bad_data, "'rope_scaling' must be an object");
    for (const char* key : {"type", "rope_type"})
      if (scaling->contains(key) && scaling->at(key) != "yarn")
        return fail(ErrorCode::unsupported, "'rope_scaling.type' is " + scaling->at(key).dump() +
                                                ": this engine computes only \"yarn\"");
    TRY(refuse_others("rope_scaling", *scaling,
                      {"type", "rope_type", "factor", "original_max_position_embeddings",
                       "beta_fast", "beta_slow"}));
    for (const Field& field : kRopeFields)
      if (auto done = read_field(*scaling, field, field.release); !done)
        return fail(context("rope_scaling", std::move(done).error()));
    return {};
  }

  Result<> read_ratios() {
    const json* ratios = take(object_, "compress_ratios");
    if (!ratios) return fail(ErrorCode::bad_data, "'compress_ratios' is missing");
    if (!ratios->is_array() || ratios->size() > static_cast<std::size_t>(2 * kLayersMax))
      return fail(ErrorCode::bad_data, "'compress_ratios' must be a list of one ratio a layer");
    for (const json& ratio : *ratios) {
      if (!ratio.is_number_integer() || ratio.get<double>() < 0 || ratio.get<double>() > 65536)
        return fail(ErrorCode::bad_data,
                    "'compress_ratios' holds " + clip(ratio.dump()) + ": must be 0 to 65536");
      config_.compress_ratios.push_back(ratio.get<std::int64_t>());
    }
    return {};
  }

  Result<> read_draft() {
    const std::string_view key = release_style_ ? "num_nextn_predict_layers" : "n_mtp_layers";
    const json* stages = take(object_, key);
    if (take(object_, "dspark_block_size")) {
      config_.draft = DraftKind::dspark;
      config_.chat_profile = ChatProfile::july_2026;
    } else if (!stages || *stages == 1) {  // the reference's default is one block
      config_.draft = DraftKind::mtp;
      config_.mtp_layers = 1;
    } else if (*stages != 0) {
      return fail(ErrorCode::unsupported, in_quotes(key) + " is " + clip(stages->dump()) +
                                              ": this engine runs 0 or 1 block");
    }
    // The tail of the list belongs to draft stages that this engine does not run.
    const auto used = static_cast<std::size_t>(config_.layers + config_.mtp_layers);
    if (config_.compress_ratios.size() < used)
      return fail(ErrorCode::bad_data,
                  "'compress_ratios' has " + std::to_string(config_.compress_ratios.size()) +
                      " entries: " + std::to_string(used) + " layers need one each");
    config_.compress_ratios.resize(used);
    return {};
  }

  Result<> check_quantization() {
    const json* quantization = take(object_, "quantization_config");
    if (!quantization) return {};
    if (!quantization->is_object())
      return fail(ErrorCode::bad_data, "'quantization_config' must be an object");
    TRY(refuse_others("quantization_config", *quantization,
                      {"quant_method", "fmt", "scale_fmt", "weight_block_size", "activation_scheme",
                       "modules_to_not_convert"}));
    const std::array<Expected, 4> wanted = {{{"quant_method", "fp8"},
                                             {"fmt", "e4m3"},
                                             {"scale_fmt", "ue8m0"},
                                             {"weight_block_size", json::array({128, 128})}}};
    for (const Expected& expected : wanted)
      if (quantization->contains(expected.key) && quantization->at(expected.key) != expected.value)
        return fail(ErrorCode::unsupported,
                    "'quantization_config." + std::string(expected.key) + "' is " +
                        clip(quantization->at(expected.key).dump()) + ": this engine reads only " +
                        expected.value.dump());
    return {};
  }

  /// A key of an inner object may change the model as well (mscale would).
  static Result<> refuse_others(const std::string& name, const json& object,
                                std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : object.items())
      if (std::ranges::find(known, key) == known.end())
        return fail(ErrorCode::bad_data, "unknown key " + in_quotes(name + "." + clip(key)) +
                                             ": remove it if it has no effect on the model");
    return {};
  }

  Result<> refuse_unknown() {
    std::vector<std::string_view> names(known_.begin(), known_.end());
    for (const auto& [key, value] : object_.items()) {
      if (known_.contains(key)) continue;
      const std::string_view like = nearest(key, names);
      return fail(ErrorCode::bad_data,
                  "unknown key " + in_quotes(clip(key)) +
                      (like.empty() ? ": remove it if it has no effect on the model"
                                    : " (did you mean " + in_quotes(like) + "?)"));
    }
    return {};
  }

  const json& object_;
  const bool release_style_;
  ModelConfig config_;
  std::set<std::string, std::less<>> known_;
};

Result<> require(bool holds, std::string message) {
  if (holds) return {};
  return fail(ErrorCode::bad_data, std::move(message));
}

Result<> multiple_of(std::string_view what, std::int64_t value, std::int64_t factor) {
  return require(value > 0 && value % factor == 0,
                 std::string(what) + " is " + std::to_string(value) + ": must be a multiple of " +
                     std::to_string(factor) + ", as the stored blocks are");
}

Result<> validate_attention(const ModelConfig& c) {
  TRY(require(c.rope_dim % 2 == 0 && c.rope_dim < c.head_dim,
              "qk_rope_head_dim must be even and less than head_dim"));
  TRY(multiple_of("head_dim - qk_rope_head_dim", c.nope_dim(), 64));
  TRY(require(c.heads % c.o_groups == 0, "num_attention_heads must be a multiple of o_groups"));
  TRY(multiple_of("hidden_size", c.hidden_size, 128));
  TRY(multiple_of("q_lora_rank", c.q_lora_rank, 128));
  TRY(multiple_of("heads * head_dim / o_groups", c.heads * c.head_dim / c.o_groups, 128));
  TRY(multiple_of("o_groups * o_lora_rank", c.o_groups * c.o_lora_rank, 128));
  TRY(require(c.rope_original_context == 0 || c.rope_beta_fast > c.rope_beta_slow,
              "beta_fast must be greater than beta_slow"));
  return {};
}

Result<> validate_indexer(const ModelConfig& c) {
  if (!c.uses_indexer()) return {};
  TRY(require(
      c.index_heads > 0 && c.index_topk > 0,
      "compress_ratios has ratio 4, which needs index_n_heads, index_head_dim and index_topk"));
  TRY(require(
      c.index_head_dim >= 32 && std::has_single_bit(static_cast<std::uint64_t>(c.index_head_dim)),
      "index_head_dim must be a power of two of at least 32"));
  return require(c.rope_dim <= c.index_head_dim, "qk_rope_head_dim must fit into index_head_dim");
}

}  // namespace

AttentionKind ModelConfig::kind(std::int64_t layer) const {
  if (ratio(layer) == 0) return AttentionKind::window;
  return ratio(layer) == kCsaRatio ? AttentionKind::csa : AttentionKind::hca;
}

bool ModelConfig::uses_indexer() const {
  return std::ranges::find(compress_ratios, kCsaRatio) != compress_ratios.end();
}

Result<> validate(const ModelConfig& c) {
  TRY(validate_attention(c));
  TRY(validate_indexer(c));
  TRY(multiple_of("moe_intermediate_size", c.expert_hidden, 128));
  TRY(require(c.experts_per_token <= c.experts,
              "num_experts_per_tok is more than n_routed_experts"));
  TRY(require(
      (c.layers + c.mtp_layers) * c.experts <= kExpertsMax,
      "num_hidden_layers times n_routed_experts is more than " + std::to_string(kExpertsMax)));
  TRY(require(c.hash_layers <= c.layers, "num_hash_layers is more than num_hidden_layers"));
  TRY(require(c.bos_id < c.vocab_size && c.eos_id < c.vocab_size,
              "bos_token_id and eos_token_id must be in the vocabulary"));
  TRY(require(static_cast<std::int64_t>(c.compress_ratios.size()) == c.layers + c.mtp_layers,
              "compress_ratios must have one entry for each layer"));
  for (std::int64_t ratio : c.compress_ratios)
    TRY(require(ratio != 1, "a compress ratio of 1 compresses nothing and is not V4's"));
  if (c.mtp_layers > 0)
    TRY(require(c.ratio(c.layers) == 0, "the MTP block's compress ratio must be 0"));
  return {};
}

Result<ModelConfig> parse_config(std::string_view json_text) {
  std::set<std::string> keys;
  std::string twice;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1 &&
        !keys.insert(parsed.get<std::string>()).second)
      twice = parsed.get<std::string>();
    return true;
  };
  const json object = json::parse(json_text, watch, false);
  if (!twice.empty())
    return fail(ErrorCode::bad_data, "key " + in_quotes(to_printable(twice)) + " is there twice");
  if (object.is_discarded())
    return fail(ErrorCode::bad_data, "not valid JSON: truncated or not a config.json");
  if (!object.is_object()) return fail(ErrorCode::bad_data, "must be a JSON object");
  return Reader(object).read();
}

Result<ModelConfig> load_config(const std::filesystem::path& dir) {
  const std::filesystem::path path = dir / "config.json";
  std::string text = TRY(read_file(path, kConfigBytesMax));
  Result<ModelConfig> config = parse_config(text);
  if (!config) return fail(context(path.string(), std::move(config).error()));
  return config;
}

std::string to_json(const ModelConfig& c) {
  nlohmann::ordered_json out;
  for (const Expected& expected : expected_keys())
    if (!expected.value.is_null() && expected.key != "score_func" && expected.key != "scale_fmt")
      out[std::string(expected.key)] = expected.value;
  const auto put = [&c](nlohmann::ordered_json& object, const Field& field) {
    const std::string key(field.release);
    if (const auto* whole = std::get_if<IntMember>(&field.member)) object[key] = c.*(*whole);
    if (const auto* real = std::get_if<RealMember>(&field.member)) object[key] = c.*(*real);
  };
  for (const Field& field : kFields) put(out, field);
  out["num_nextn_predict_layers"] = c.mtp_layers;
  out["compress_ratios"] = c.compress_ratios;
  nlohmann::ordered_json scaling = {{"type", "yarn"}};
  for (const Field& field : kRopeFields) put(scaling, field);
  out["rope_scaling"] = std::move(scaling);
  out["expert_dtype"] = "fp4";
  out["quantization_config"] = {{"activation_scheme", "dynamic"},
                                {"fmt", "e4m3"},
                                {"quant_method", "fp8"},
                                {"scale_fmt", "ue8m0"},
                                {"weight_block_size", {128, 128}}};
  return out.dump(1) + "\n";
}

}  // namespace fathom::engine
