// Tokens into a forward pass, and all their logits out.
#pragma once

#include "engine/local/forward.hpp"
#include "tests/support/catch.hpp"

#include <span>
#include <vector>

namespace fathom::test {

inline std::vector<float> feed_all(engine::Forward& forward, engine::LiveKv& kv,
                                   std::span<const engine::TokenId> tokens) {
  const engine::Feed feed{&kv, tokens, engine::LogitRows::all};
  const auto logits = forward.run(std::span(&feed, 1));
  REQUIRE(logits);
  return {logits->begin(), logits->end()};
}

}  // namespace fathom::test
