// The official mathematics' unit vectors (FATHOM_VECTORS/v4/units), on every instruction set.
#include "tests/engine/cpu/canonical.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/tensor_file.hpp"
#include "tests/support/vectors.hpp"

#include <cmath>
#include <optional>

using namespace fathom::engine;
using namespace fathom::test;

namespace {

std::optional<TensorFile> units() {
  auto file = TensorFile::open((vectors_dir() / "v4/units/units.safetensors").string());
  if (!file)
    skip("no unit vectors in $FATHOM_VECTORS/v4/units: kernels were not compared with them");
  return file;
}

}  // namespace

TEST_CASE("quantising equals the unit vectors", "[engine][golden]") {
  const auto file = units();
  if (!file) return;
  for (const Kernels* kernels : all_kernels()) {
    INFO(name_of(kernels->isa));
    for (const std::int64_t block : {64, 128}) {
      std::vector<float> x = file->floats("fp8.in");
      kernels->fp8_quantize(x.data(), static_cast<std::int64_t>(x.size()), block);
      CHECK(x == file->floats("fp8_b" + std::to_string(block) + ".out"));
    }
    std::vector<float> x = file->floats("fp4.in");
    kernels->fp4_quantize(x.data(), static_cast<std::int64_t>(x.size()));
    CHECK(x == file->floats("fp4_b32.out"));
  }
}

TEST_CASE("hadamard equals the unit vectors", "[engine][golden]") {
  const auto file = units();
  if (!file) return;
  for (const Kernels* kernels : all_kernels()) {
    for (const std::int64_t n : {32, 64, 128}) {
      const std::string name = "hadamard" + std::to_string(n);
      std::vector<float> x = file->floats(name + ".in");
      const std::vector<float> expected = file->floats(name + ".out");
      for (std::size_t i = 0; i < x.size(); i += static_cast<std::size_t>(n))
        kernels->hadamard(x.data() + i, n);
      for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::fabs(x[i] - expected[i]) < 1e-5f);
    }
  }
}
