// Compiled for avx2; CMakeLists.txt has the flags.
#define FATHOM_ISA isa_avx2
#include "engine/cpu/isa_tables.hpp"
#include "engine/cpu/kernel_table.hpp"

namespace fathom::engine {

const Kernels& avx2_kernels() {
  static constexpr Kernels kTable = FATHOM_ISA::make_table(Isa::avx2);
  return kTable;
}

}  // namespace fathom::engine
