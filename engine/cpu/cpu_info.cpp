#include "engine/cpu/cpu_info.hpp"

#include <sched.h>

#include <array>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace fathom::engine {
namespace {

unsigned usable_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(CPU_COUNT(&set));
}

#if defined(__x86_64__)

struct Registers {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  Registers r;
  // Zeroes for a leaf the processor does not have.
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
  return r;
}

// XCR0: which register files the kernel saves on a context switch. Without its bit an instruction
// set traps, whatever CPUID says.
std::uint64_t enabled_state() {
  if ((cpuid(1, 0).c & (1u << 27)) == 0) return 0;  // OSXSAVE
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (std::uint64_t{high} << 32) | low;
}

std::string brand() {
  std::array<char, 49> text{};
  for (std::uint32_t i = 0; i < 3; ++i) {
    const Registers r = cpuid(0x80000002u + i, 0);
    std::memcpy(text.data() + i * 16, &r, 16);
  }
  std::string name(text.data());
  const auto first = name.find_first_not_of(' ');
  return first == std::string::npos ? "unknown" : name.substr(first);
}

std::vector<CpuFeature> features() {
  const Registers l1 = cpuid(1, 0);
  const Registers l7 = cpuid(7, 0);
  const Registers l7_1 = cpuid(7, 1);
  const std::uint64_t state = enabled_state();
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = (state & 0xe6) == 0xe6;
  const bool tiles = (state & 0x60000) == 0x60000;
  const auto bit = [](std::uint32_t word, int n) { return ((word >> n) & 1u) != 0; };
  return {
      {"avx2", ymm && bit(l7.b, 5), "256-bit kernels"},
      {"fma", ymm && bit(l1.c, 12), "fused multiply-add"},
      {"f16c", ymm && bit(l1.c, 29), "half precision conversion"},
      {"avx_vnni", ymm && bit(l7_1.a, 4), "8-bit dot products, 256 bits"},
      {"avx512f", zmm && bit(l7.b, 16), "512-bit kernels"},
      {"avx512bw", zmm && bit(l7.b, 30), "512-bit bytes and words (FP8 unpacking)"},
      {"avx512vl", zmm && bit(l7.b, 31), "512-bit kernels' shorter registers"},
      {"avx512dq", zmm && bit(l7.b, 17), "512-bit kernels' extracts"},
      {"avx512vbmi", zmm && bit(l7.c, 1), "byte look-ups (FP4 decoding)"},
      {"avx512_vnni", zmm && bit(l7.c, 11), "8-bit dot products, 512 bits"},
      {"avx512_bf16", zmm && bit(l7_1.a, 5), "BF16 dot products"},
      {"amx_bf16", tiles && bit(l7.d, 22), "BF16 matrix tiles"},
      {"amx_int8", tiles && bit(l7.d, 25), "8-bit matrix tiles"},
  };
}

#else

std::string brand() { return "unknown"; }
std::vector<CpuFeature> features() { return {}; }

#endif

}  // namespace

CpuInfo cpu_info() { return {brand(), usable_threads(), features()}; }

}  // namespace fathom::engine
