// The tables that are compiled in, each in a unit with its own flags. Calling a kernel of a table
// that the processor cannot run is the end; kernels_for asks first.
#pragma once

#include "engine/cpu/kernels.hpp"

namespace fathom::engine {

const Kernels& scalar_kernels();
#if defined(__x86_64__)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
#endif

}  // namespace fathom::engine
