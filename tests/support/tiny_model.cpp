#include "tests/support/tiny_model.hpp"

namespace fathom::test {

engine::ModelConfig tiny_config() {
  engine::ModelConfig c;
  c.vocab_size = 300;
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
  c.window = 8;
  c.compress_ratios = {0, 4, 16, 4, 0};
  c.rope_theta = 10000;
  c.compress_rope_theta = 160000;
  c.rope_factor = 4;
  c.rope_original_context = 64;
  c.context_max = 4096;
  c.index_heads = 4;
  c.index_head_dim = 32;
  c.index_topk = 4;
  c.experts = 6;
  c.experts_per_token = 2;
  c.expert_hidden = 128;
  c.routed_scaling = 1.5;
  c.swiglu_limit = 10;
  c.hc_mult = 4;
  c.sinkhorn_iters = 20;
  c.draft = engine::DraftKind::mtp;
  return c;
}

}  // namespace fathom::test
