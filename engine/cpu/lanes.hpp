// Sixteen f32 lanes, the one shape in which all sums of engine/cpu are made.
//
// The kernels are written once, with the compiler's vector types, and compiled by isa_scalar.cpp,
// isa_avx2.cpp and isa_avx512.cpp for their instruction sets: one register of 16 lanes, two of 8,
// or four of 4. A portable vector library would give each machine the width it has, and so each its
// own order of sums and its own bits; here the width belongs to the arithmetic.
//
// Each unit names its namespace with FATHOM_ISA. Nothing in these headers may call an inline
// function or template of another header that is not inlined for certain: the linker keeps one copy
// of such a function, perhaps the one made of instructions that this machine does not have.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef FATHOM_ISA
#define FATHOM_ISA header_check
#endif

// Vectors only travel through functions that are always inlined, so how they would be passed is of
// no matter.
#pragma clang diagnostic ignored "-Wpsabi"

#define FATHOM_INLINE [[gnu::always_inline]] inline

namespace fathom::engine::FATHOM_ISA {

constexpr std::int64_t kLanes = 16;

using Floats = float __attribute__((vector_size(64)));
using Ints = std::int32_t __attribute__((vector_size(64)));

// As many lanes as one register holds, for tiles that must stay in registers.
#if defined(__AVX512F__)
constexpr std::int64_t kNative = 16;
#elif defined(__AVX2__)
constexpr std::int64_t kNative = 8;
#else
constexpr std::int64_t kNative = 4;
#endif
using Native = float __attribute__((vector_size(4 * kNative)));

template <class Vector = Floats>
FATHOM_INLINE Vector load(const void* from) {
  Vector v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <class Vector>
FATHOM_INLINE void store(void* to, Vector v) {
  __builtin_memcpy(to, &v, sizeof v);
}

/// The first `count` lanes, zeros behind them; reads nothing else.
FATHOM_INLINE Floats load_head(const float* from, std::int64_t count) {
#if defined(__AVX512F__)
  const auto mask = static_cast<__mmask16>((1u << count) - 1u);
  return Floats(_mm512_maskz_loadu_ps(mask, from));
#else
  Floats v{};
  __builtin_memcpy(&v, from, static_cast<std::size_t>(count) * sizeof(float));
  return v;
#endif
}

FATHOM_INLINE void store_head(float* to, Floats v, std::int64_t count) {
#if defined(__AVX512F__)
  const auto mask = static_cast<__mmask16>((1u << count) - 1u);
  _mm512_mask_storeu_ps(to, mask, __m512(v));
#else
  __builtin_memcpy(to, &v, static_cast<std::size_t>(count) * sizeof(float));
#endif
}

// Not `Vector{} + x`: adding to zero is an instruction, and loses the sign of -0.
template <class Vector>
FATHOM_INLINE Vector splat(float x) {
  using Same = float __attribute__((ext_vector_type(sizeof(Vector) / sizeof(float))));
  return Vector(Same(x));
}
FATHOM_INLINE Floats broadcast(float x) { return splat<Floats>(x); }
FATHOM_INLINE Ints broadcast(std::int32_t x) { return Ints{} + x; }

template <class Vector>
FATHOM_INLINE Vector fma(Vector a, Vector b, Vector c) {
  return __builtin_elementwise_fma(a, b, c);
}

FATHOM_INLINE Ints bits(Floats v) { return Ints(v); }
FATHOM_INLINE Floats from_bits(Ints v) { return Floats(v); }

FATHOM_INLINE Floats sqrt(Floats v) { return __builtin_elementwise_sqrt(v); }
FATHOM_INLINE Floats abs(Floats v) { return from_bits(bits(v) & 0x7fffffff); }

/// As `a < b ? a : b`: a NaN in `a` gives b, in `b` gives b.
FATHOM_INLINE Floats least(Floats a, Floats b) { return a < b ? a : b; }
FATHOM_INLINE Floats greatest(Floats a, Floats b) { return a > b ? a : b; }

/// Lanes l and l + 8, then l + 4, l + 2, l + 1.
FATHOM_INLINE float sum(Floats v) {
  using Eight = float __attribute__((vector_size(32)));
  using Four = float __attribute__((vector_size(16)));
  const Eight a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                  __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const Four b = __builtin_shufflevector(a, a, 0, 1, 2, 3) +  //
                 __builtin_shufflevector(a, a, 4, 5, 6, 7);
  return (b[0] + b[2]) + (b[1] + b[3]);
}

/// The largest lane; -inf and NaN lanes never win over a number.
FATHOM_INLINE float largest(Floats v) {
  float result = v[0];
  for (int i = 1; i < kLanes; ++i) result = v[i] > result ? v[i] : result;
  return result;
}

/// Calls body(i, lanes) for i = 0, 16, … with 16 lanes, and once with the rest.
template <class Body>
FATHOM_INLINE void for_lanes(std::int64_t n, Body body) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, kLanes);
  if (i < n) body(i, n - i);
}

FATHOM_INLINE Floats load_some(const float* from, std::int64_t lanes) {
  return lanes == kLanes ? load(from) : load_head(from, lanes);
}

FATHOM_INLINE void store_some(float* to, Floats v, std::int64_t lanes) {
  if (lanes == kLanes) {
    store(to, v);
  } else {
    store_head(to, v, lanes);
  }
}

}  // namespace fathom::engine::FATHOM_ISA
