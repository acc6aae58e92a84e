// Random numbers without a state: each is a function of (seed, position). Whatever else ran before,
// whatever was drafted and taken back, the draw for a position is the same.
#pragma once

#include <array>
#include <cstdint>

namespace fathom::engine {

/// Philox4x32 with ten rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

/// Uniform in [0, 1), a multiple of 2^-53.
double uniform_at(std::uint64_t seed, std::uint64_t position);

}  // namespace fathom::engine
