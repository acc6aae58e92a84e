// The table of one instruction set: what isa_*.cpp compile.
#pragma once

#include "engine/cpu/attention_kernels.hpp"
#include "engine/cpu/index_kernels.hpp"
#include "engine/cpu/matmul_gemm.hpp"

namespace fathom::engine::FATHOM_ISA {

inline float fma_probe(std::int64_t steps) {
  constexpr int kChains = 24 * kLanes / kNative > 24 ? 12 : 24;
  Native acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = splat<Native>(static_cast<float>(i));
  const Native factor = splat<Native>(0.999f);
  const Native addend = splat<Native>(0.001f);
  // Narrow registers do the same number of flops in more rounds.
  const std::int64_t rounds = steps * 24 * kLanes / (kChains * kNative);
  for (std::int64_t step = 0; step < rounds; ++step) {
#pragma clang loop unroll(full)
    for (int i = 0; i < kChains; ++i) acc[i] = fma(acc[i], factor, addend);
  }
  float total = 0;
  for (int i = 0; i < kChains; ++i) total += acc[i][0];
  return total;
}

inline std::uint64_t read_probe(const std::byte* data, std::int64_t bytes) {
  constexpr int kStreams = 4;
  Ints acc[kStreams] = {};
  constexpr std::int64_t kStep = kStreams * static_cast<std::int64_t>(sizeof(Ints));
  for (std::int64_t i = 0; i + kStep <= bytes; i += kStep) {
#pragma clang loop unroll(full)
    for (int s = 0; s < kStreams; ++s)
      acc[s] ^= load<Ints>(data + i + s * static_cast<std::int64_t>(sizeof(Ints)));
  }
  const Ints all = acc[0] ^ acc[1] ^ acc[2] ^ acc[3];
  std::uint64_t result = 0;
  for (int lane = 0; lane < kLanes; ++lane) result ^= static_cast<std::uint32_t>(all[lane]);
  return result;
}

FATHOM_INLINE constexpr Kernels make_table(Isa isa) {
  return {.isa = isa,
          .matmul_rows = matmul_rows,
          .dot = dot,
          .rms_norm = rms_norm,
          .axpy = axpy,
          .combine = combine,
          .exp = exp_all,
          .sigmoid = sigmoid_all,
          .sqrt_softplus = sqrt_softplus_all,
          .softmax = softmax,
          .swiglu = swiglu,
          .rope = rope,
          .hadamard = hadamard,
          .fp8_quantize = fp8_quantize,
          .fp4_quantize = fp4_quantize,
          .encode_kv = encode_kv,
          .decode_kv = decode_kv,
          .encode_index_key = encode_index_key,
          .decode_index_key = decode_index_key,
          .attend = attend,
          .index_scores = index_scores,
          .fma_probe = fma_probe,
          .read_probe = read_probe};
}

}  // namespace fathom::engine::FATHOM_ISA
