#include "engine/cpu/kernels.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::engine;

TEST_CASE("kernels are chosen by name or by measuring", "[engine]") {
  const KernelChoice scalar = choose_kernels("scalar").value();
  CHECK(scalar.kernels->isa == Isa::scalar);
  CHECK(scalar.reason == "FATHOM_ISA=scalar");
  const KernelChoice fastest = choose_kernels("").value();
  REQUIRE(fastest.kernels != nullptr);
  CHECK(fastest.probes.size() == 3);
  for (const IsaProbe& probe : fastest.probes) {
    CHECK(probe.usable == (kernels_for(probe.isa) != nullptr));
    CHECK(probe.usable == (probe.probe_us > 0));
  }
}

TEST_CASE("an unknown instruction set is refused with the ones there are", "[engine]") {
  const auto choice = choose_kernels("avx1024");
  REQUIRE_FALSE(choice.has_value());
  CHECK(choice.error() == Error{ErrorCode::usage,
                                "FATHOM_ISA: unknown instruction set 'avx1024' (use scalar, avx2 "
                                "or avx512, or leave it unset)"});
}
