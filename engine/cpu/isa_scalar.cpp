// For every machine: the twin that the other instruction sets are tested against.
#define FATHOM_ISA isa_scalar
#include "engine/cpu/isa_tables.hpp"
#include "engine/cpu/kernel_table.hpp"

namespace fathom::engine {

const Kernels& scalar_kernels() {
  static constexpr Kernels kTable = FATHOM_ISA::make_table(Isa::scalar);
  return kTable;
}

}  // namespace fathom::engine
