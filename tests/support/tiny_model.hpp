// A V4 model of the smallest legal size, with every kind of layer, for tests that need some
// weights.
#pragma once

#include "engine/model/config.hpp"

namespace fathom::test {

/// Four layers (window with hash routing, CSA, HCA of ratio 16, CSA) and MTP; window 8, top-k 4.
engine::ModelConfig tiny_config();

}  // namespace fathom::test
