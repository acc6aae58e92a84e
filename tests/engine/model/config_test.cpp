#include "engine/model/config.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/tiny_model.hpp"

#include <nlohmann/json.hpp>

#include <functional>

using namespace fathom;
using namespace fathom::engine;
using nlohmann::json;

namespace {

json release_json() { return json::parse(to_json(test::tiny_config())); }

std::string refusal(const std::function<void(json&)>& change) {
  json object = release_json();
  change(object);
  const auto config = parse_config(object.dump());
  return config ? "accepted" : config.error().message;
}

}  // namespace

TEST_CASE("a configuration survives its own spelling", "[engine]") {
  const ModelConfig config = test::tiny_config();
  const auto read = parse_config(to_json(config));
  if (!read) FAIL(read.error().message);
  CHECK(*read == config);
}

TEST_CASE("the reference code's names mean the same", "[engine]") {
  const auto config = parse_config(R"({
    "vocab_size": 300, "dim": 128, "moe_inter_dim": 128, "n_layers": 4, "n_hash_layers": 1,
    "n_mtp_layers": 1, "n_heads": 8, "n_routed_experts": 6, "n_shared_experts": 1,
    "n_activated_experts": 2, "score_func": "sqrtsoftplus", "route_scale": 1.5,
    "swiglu_limit": 10.0, "q_lora_rank": 128, "head_dim": 96, "rope_head_dim": 32,
    "norm_eps": 1e-6, "o_groups": 2, "o_lora_rank": 64, "window_size": 8,
    "compress_ratios": [0, 4, 16, 4, 0], "compress_rope_theta": 160000.0,
    "original_seq_len": 64, "rope_theta": 10000.0, "rope_factor": 4, "beta_fast": 32,
    "beta_slow": 1, "index_n_heads": 4, "index_head_dim": 32, "index_topk": 4, "hc_mult": 4,
    "hc_sinkhorn_iters": 20, "hc_eps": 1e-6, "max_seq_len": 4096, "dtype": "fp8",
    "scale_fmt": "ue8m0", "expert_dtype": "fp4"})");
  if (!config) FAIL(config.error().message);
  CHECK(config->hidden_size == 128);
  CHECK(config->experts_per_token == 2);
  CHECK(config->rope_original_context == 64);
  CHECK(config->kind(0) == AttentionKind::window);
  CHECK(config->kind(1) == AttentionKind::csa);
  CHECK(config->kind(2) == AttentionKind::hca);
}

TEST_CASE("the tail of compress_ratios belongs to draft stages", "[engine]") {
  json object = release_json();
  object["dspark_block_size"] = 5;
  object["compress_ratios"].push_back(0);
  const auto config = parse_config(object.dump());
  if (!config) FAIL(config.error().message);
  CHECK(config->draft == DraftKind::dspark);
  CHECK(config->mtp_layers == 0);
  CHECK(config->chat_profile == ChatProfile::july_2026);
  CHECK(static_cast<std::int64_t>(config->compress_ratios.size()) == config->layers);
}

TEST_CASE("a wrong configuration is refused with the key and what it must be", "[engine]") {
  CHECK(parse_config("{\"hidden_size\": 12").error().message ==
        "not valid JSON: truncated or not a config.json");
  CHECK(parse_config("[]").error().message == "must be a JSON object");
  CHECK(refusal([](json& c) { c.erase("hc_mult"); }) == "'hc_mult' is missing");
  CHECK(refusal([](json& c) { c["slidng_window"] = 1; }) ==
        "unknown key 'slidng_window' (did you mean 'sliding_window'?)");
  CHECK(refusal([](json& c) { c["zzz"] = 1; }) ==
        "unknown key 'zzz': remove it if it has no effect on the model");
  CHECK(refusal([](json& c) { c["head_dim"] = "96"; }) ==
        "'head_dim' must be a whole number, not \"96\"");
  CHECK(refusal([](json& c) { c["vocab_size"] = 1e300; }) ==
        "'vocab_size' must be a whole number, not 1e+300");
  CHECK(refusal([](json& c) { c["vocab_size"] = -5; }) ==
        "'vocab_size' is -5: must be from 2.0 to 4194304.0");
  CHECK(refusal([](json& c) { c["scoring_func"] = "softmax"; }) ==
        "'scoring_func' is \"softmax\": this engine computes only \"sqrtsoftplus\"");
  CHECK(refusal([](json& c) { c["text_config"] = json::object(); }) ==
        "a nested 'text_config' is the V4.1 architecture, which this engine does not run");
  CHECK(refusal([](json& c) { c["rope_scaling"]["type"] = "linear"; }) ==
        "'rope_scaling.type' is \"linear\": this engine computes only \"yarn\"");
  CHECK(refusal([](json& c) { c["rope_scaling"].erase("factor"); }) ==
        "rope_scaling: 'factor' is missing");
  CHECK(refusal([](json& c) { c["rope_scaling"]["mscale"] = 2.0; }) ==
        "unknown key 'rope_scaling.mscale': remove it if it has no effect on the model");
  CHECK(refusal([](json& c) { c["quantization_config"]["bits"] = 4; }) ==
        "unknown key 'quantization_config.bits': remove it if it has no effect on the model");
  CHECK(parse_config(R"({"hidden_size": 128, "hidden_size": 256})").error().message ==
        "key 'hidden_size' is there twice");
  CHECK(refusal([](json& c) { c["compress_ratios"] = {0, 4}; }) ==
        "'compress_ratios' has 2 entries: 5 layers need one each");
  CHECK(refusal([](json& c) { c["quantization_config"]["fmt"] = "e5m2"; }) ==
        "'quantization_config.fmt' is \"e5m2\": this engine reads only \"e4m3\"");
}

TEST_CASE("fields that do not fit each other are refused", "[engine]") {
  CHECK(refusal([](json& c) { c["o_groups"] = 3; }) ==
        "num_attention_heads must be a multiple of o_groups");
  CHECK(refusal([](json& c) { c["hidden_size"] = 130; }) ==
        "hidden_size is 130: must be a multiple of 128, as the stored blocks are");
  CHECK(refusal([](json& c) { c["qk_rope_head_dim"] = 96; }) ==
        "qk_rope_head_dim must be even and less than head_dim");
  CHECK(refusal([](json& c) { c["index_head_dim"] = 48; }) ==
        "index_head_dim must be a power of two of at least 32");
  CHECK(refusal([](json& c) { c["num_experts_per_tok"] = 7; }) ==
        "num_experts_per_tok is more than n_routed_experts");
  CHECK(refusal([](json& c) { c["n_routed_experts"] = 65536; }) ==
        "num_hidden_layers times n_routed_experts is more than 262144");
  CHECK(refusal([](json& c) { c["compress_ratios"][4] = 4; }) ==
        "the MTP block's compress ratio must be 0");
  CHECK(refusal([](json& c) { c["eos_token_id"] = 100000; }) ==
        "bos_token_id and eos_token_id must be in the vocabulary");
  CHECK(refusal([](json& c) { c.erase("index_topk"); }) ==
        "compress_ratios has ratio 4, which needs index_n_heads, index_head_dim and index_topk");
}
