// exp, sigmoid and their kin for single floats, with the bits that the vector kernels give.
//
// The C library's expf may differ between machines and versions, so ours is used wherever a value
// reaches the model. Errors against the exact value are below 2 ulp (tests/engine/cpu).
#pragma once

#include <cstdint>

namespace fathom::engine {

/// e^x; 0 below about -104, inf above 88.73, subnormals right.
float exp(float x);
/// 1 / (1 + e^-x)
float sigmoid(float x);
/// ln(1 + e^x), without cancellation at either end
float softplus(float x);
/// 2^(byte - 127), an e8m0 scale; 255 is NaN
float e8m0_to_float(std::uint8_t byte);

}  // namespace fathom::engine
