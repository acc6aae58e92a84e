// Compiled for avx512; CMakeLists.txt has the flags.
#define FATHOM_ISA isa_avx512
#include "engine/cpu/isa_tables.hpp"
#include "engine/cpu/kernel_table.hpp"

namespace fathom::engine {

const Kernels& avx512_kernels() {
  static constexpr Kernels kTable = FATHOM_ISA::make_table(Isa::avx512);
  return kTable;
}

}  // namespace fathom::engine
