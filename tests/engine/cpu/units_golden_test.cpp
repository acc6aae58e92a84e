// The official mathematics' unit vectors (FATHOM_VECTORS/v4/units), on every instruction set.
#include "engine/cpu/float_codes.hpp"
#include "tests/engine/cpu/canonical.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/tensor_file.hpp"

#include <cmath>
#include <cstdlib>
#include <optional>

using namespace fathom::engine;
using namespace fathom::test;

namespace {

std::optional<TensorFile> units() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): tests have one thread here
  const char* folder = std::getenv("FATHOM_VECTORS");
  auto file = TensorFile::open(std::string(folder ? folder : "../shared/vectors") +
                               "/v4/units/units.safetensors");
  if (!file)
    skip("no unit vectors in $FATHOM_VECTORS/v4/units: kernels were not compared with them");
  return file;
}

}  // namespace

TEST_CASE("the e4m3 table and roundings are those of the unit vectors", "[engine][golden]") {
  const auto file = units();
  if (!file) return;
  const std::vector<float> table = file->floats("e4m3_table");
  for (int code = 0; code < 256; ++code)
    if ((code & 0x7f) != 0x7f)
      CHECK(e4m3_decode(static_cast<std::uint8_t>(code)) == table[static_cast<std::size_t>(code)]);
  const std::vector<float> in = file->floats("round.in");
  const std::vector<float> e4m3 = file->floats("round.e4m3");
  const std::vector<float> e2m1 = file->floats("round.e2m1");
  for (std::size_t i = 0; i < in.size(); ++i) {
    CHECK(e4m3_decode(e4m3_encode(in[i])) == e4m3[i]);
    CHECK(e2m1_decode(e2m1_encode(in[i])) == e2m1[i]);
  }
}

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
