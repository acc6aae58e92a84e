#include "tests/support/tiny_model.hpp"

#include "engine/model/random_model.hpp"

namespace fathom::test {

engine::ModelConfig tiny_config() {
  engine::ModelConfig c = engine::named_shape("tiny").value();
  c.vocab_size = 300;
  c.window = 8;
  c.rope_factor = 4;
  c.rope_original_context = 64;
  c.context_max = 4096;
  c.index_topk = 4;
  c.experts = 6;
  return c;
}

}  // namespace fathom::test
