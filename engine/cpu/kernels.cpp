#include "engine/cpu/kernels.hpp"

#include "engine/cpu/cpu_info.hpp"
#include "engine/cpu/isa_tables.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/paths.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <span>

namespace fathom::engine {
namespace {

constexpr std::array<Isa, 3> kIsas = {Isa::scalar, Isa::avx2, Isa::avx512};
constexpr int kProbeRounds = 5;

bool has_all(std::span<const std::string_view> names) {
  const CpuInfo info = cpu_info();
  return std::ranges::all_of(names, [&](std::string_view name) {
    return std::ranges::any_of(info.features, [&](const CpuFeature& feature) {
      return feature.name == name && feature.present;
    });
  });
}

// 16 rows of 1,024 columns in each format that is stored quantised, for one vector and for eight: a
// few microseconds that decide for hours.
double probe_us(const Kernels& kernels) {
  constexpr std::int64_t kRows = 16;
  constexpr std::int64_t kCols = 1024;
  constexpr std::int64_t kVectors = 8;
  std::vector<std::byte> data(kRows * kCols * 2, std::byte{0x35});
  std::vector<std::uint8_t> scales(kRows * kCols / 32, 127);
  std::vector<float> x(kVectors * kCols, 0.5f);
  std::vector<float> y(kVectors * kRows);
  double total = 0;
  for (WeightFormat format : {WeightFormat::fp4, WeightFormat::fp8, WeightFormat::bf16}) {
    const WeightMatrix w{format, kRows, kCols, data.data(), scales.data()};
    double best = 1e9;
    for (int round = 0; round < kProbeRounds; ++round) {
      const auto start = std::chrono::steady_clock::now();
      for (std::int64_t n : {std::int64_t{1}, kVectors})
        kernels.matmul_rows(w, {0, kRows}, {x.data(), n, kCols}, {y.data(), kRows});
      const std::chrono::duration<double, std::micro> took =
          std::chrono::steady_clock::now() - start;
      best = std::min(best, took.count());
    }
    total += best;
  }
  return total;
}

Result<Isa> parse_isa(std::string_view name) {
  for (Isa isa : kIsas)
    if (name == name_of(isa)) return isa;
  return fail(ErrorCode::usage, "FATHOM_ISA: unknown instruction set '" + std::string(name) +
                                    "' (use scalar, avx2 or avx512, or leave it unset)");
}

Result<KernelChoice> choose_by_name(std::string_view wanted) {
  const Isa isa = TRY(parse_isa(wanted));
  KernelChoice choice;
  for (Isa each : kIsas) choice.probes.push_back({each, kernels_for(each) != nullptr, 0});
  choice.kernels = kernels_for(isa);
  choice.reason = "FATHOM_ISA=" + std::string(wanted);
  if (choice.kernels == nullptr)
    return fail(ErrorCode::unsupported,
                choice.reason + ": this processor or build does not have it (leave it unset)");
  return choice;
}

KernelChoice choose_by_probe() {
  KernelChoice choice;
  double best = 0;
  int measured = 0;
  for (Isa isa : kIsas) {
    const Kernels* kernels = kernels_for(isa);
    IsaProbe probe{isa, kernels != nullptr, 0};
    if (kernels) {
      probe.probe_us = probe_us(*kernels);
      ++measured;
      if (!choice.kernels || probe.probe_us < best) {
        choice.kernels = kernels;
        best = probe.probe_us;
      }
    }
    choice.probes.push_back(probe);
  }
  choice.reason = measured == 1 ? "the only one here"
                                : "fastest of " + std::to_string(measured) + " in a probe";
  return choice;
}

}  // namespace

std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return "scalar";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  return "unknown";
}

const Kernels* kernels_for(Isa isa) {
#if defined(__x86_64__)
  constexpr std::array<std::string_view, 3> kAvx2 = {"avx2", "fma", "f16c"};
  constexpr std::array<std::string_view, 6> kAvx512 = {"avx512f",  "avx512bw", "avx512vl",
                                                       "avx512dq", "fma",      "f16c"};
  static const bool has_avx2 = has_all(kAvx2);
  static const bool has_avx512 = has_all(kAvx512);
  if (isa == Isa::avx2) return has_avx2 ? &avx2_kernels() : nullptr;
  if (isa == Isa::avx512) return has_avx512 ? &avx512_kernels() : nullptr;
#endif
  return isa == Isa::scalar ? &scalar_kernels() : nullptr;
}

Result<KernelChoice> choose_kernels(std::string_view wanted) {
  if (!wanted.empty()) return choose_by_name(wanted);
  return choose_by_probe();
}

const Result<KernelChoice>& try_kernel_choice() {
  static const Result<KernelChoice> choice = choose_kernels(process_env("FATHOM_ISA"));
  return choice;
}

const KernelChoice& kernel_choice() {
  static const KernelChoice& choice = [] -> const KernelChoice& {
    const auto& made = try_kernel_choice();
    if (!made) std::fprintf(stderr, "%s\n", made.error().message.c_str());
    ENSURE(made.has_value(), "FATHOM_ISA, when set, names an instruction set of this machine");
    return *made;
  }();
  return choice;
}

}  // namespace fathom::engine
