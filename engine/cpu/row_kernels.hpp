// The plain kernels of the forward pass: norms, sums, activation functions, rope, Hadamard.
#pragma once

#include "engine/cpu/kernels.hpp"
#include "engine/cpu/vector_math.hpp"

namespace fathom::engine::FATHOM_ISA {

inline float dot(const float* a, const float* b, std::int64_t n) {
  Floats acc{};
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    acc = fma(load_some(a + i, lanes), load_some(b + i, lanes), acc);
  });
  return sum(acc);
}

inline void rms_norm(const float* x, const float* weight, float eps, std::int64_t n, float* out) {
  const float mean = dot(x, x, n) / static_cast<float>(n);
  const float factor = 1.0f / __builtin_sqrtf(mean + eps);
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    const Floats scaled = load_some(x + i, lanes) * factor;
    store_some(out + i, weight ? scaled * load_some(weight + i, lanes) : scaled, lanes);
  });
}

inline void axpy(float a, const float* x, std::int64_t n, float* y) {
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    store_some(y + i, fma(broadcast(a), load_some(x + i, lanes), load_some(y + i, lanes)), lanes);
  });
}

inline void combine(const float* const* rows, const float* weights, std::int64_t count,
                    std::int64_t n, float* out) {
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    Floats acc{};
    for (std::int64_t r = 0; r < count; ++r)
      acc = fma(broadcast(weights[r]), load_some(rows[r] + i, lanes), acc);
    store_some(out + i, acc, lanes);
  });
}

inline void exp_all(float* x, std::int64_t n) {
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    store_some(x + i, exp(load_some(x + i, lanes)), lanes);
  });
}

inline void sigmoid_all(float* x, std::int64_t n) {
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    store_some(x + i, sigmoid(load_some(x + i, lanes)), lanes);
  });
}

inline void sqrt_softplus_all(float* x, std::int64_t n) {
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    store_some(x + i, sqrt(softplus(load_some(x + i, lanes))), lanes);
  });
}

FATHOM_INLINE float largest(const float* x, std::int64_t n) {
  float result = x[0];
  Floats top = broadcast(x[0]);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) top = greatest(load(x + i), top);
  result = largest(top);
  for (; i < n; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

inline void softmax(float* x, std::int64_t n) {
  if (n == 0) return;
  const float top = largest(x, n);
  Floats acc{};
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    const Floats e = exp(load_some(x + i, lanes) - top);
    store_some(x + i, e, lanes);
    acc += lanes == kLanes ? e : load_head(x + i, lanes);  // zeros behind the end
  });
  const float total = sum(acc);
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    store_some(x + i, load_some(x + i, lanes) / total, lanes);
  });
}

inline void swiglu(const float* gate, const float* up, SwigluOptions options, std::int64_t n,
                   float* out) {
  const float limit = options.limit > 0 ? options.limit : __builtin_inff();
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    Floats a = load_some(gate + i, lanes);
    Floats b = load_some(up + i, lanes);
    a = a > limit ? broadcast(limit) : a;
    b = b > limit ? broadcast(limit) : b;
    b = b < -limit ? broadcast(-limit) : b;
    const Floats silu = a / (1.0f + exp(-a));
    store_some(out + i, silu * b * options.factor, lanes);
  });
}

inline void rope(float* x, const float* cos, const float* sin, std::int64_t pairs,
                 RopeDirection direction) {
  const float sign = direction == RopeDirection::forward ? 1.0f : -1.0f;
  const Floats signs = Floats{-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1} * sign;
  for (std::int64_t k = 0; k < pairs; k += kLanes / 2) {
    const std::int64_t here = pairs - k < kLanes / 2 ? pairs - k : kLanes / 2;
    const Floats c = load_head(cos + k, here);
    const Floats s = load_head(sin + k, here);
    const Floats cs = __builtin_shufflevector(c, c, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const Floats ss = __builtin_shufflevector(s, s, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const Floats v = load_some(x + 2 * k, 2 * here);
    const Floats other =
        __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    store_some(x + 2 * k, fma(v, cs, other * (ss * signs)), 2 * here);
  }
}

// Lane i and lane i ^ h: their sum in the lower, their difference in the upper.
FATHOM_INLINE Floats butterfly(Floats v, Floats partner, std::int32_t h) {
  const Ints lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return (lane & h) != 0 ? partner - v : partner + v;
}

FATHOM_INLINE Floats hadamard_lanes(Floats v, std::int64_t n) {
  v = butterfly(
      v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14), 1);
  if (n == 2) return v;
  v = butterfly(
      v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13), 2);
  if (n == 4) return v;
  v = butterfly(
      v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11), 4);
  if (n == 8) return v;
  return butterfly(
      v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7), 8);
}

inline void hadamard(float* x, std::int64_t n) {
  constexpr std::int64_t kVectors = 256 / kLanes;
  Floats v[kVectors];
  const std::int64_t lanes = n < kLanes ? n : kLanes;
  const std::int64_t vectors = (n + kLanes - 1) / kLanes;
  for (std::int64_t i = 0; i < vectors; ++i)
    v[i] = hadamard_lanes(load_some(x + i * kLanes, lanes), n);
  for (std::int64_t h = 1; h < vectors; h *= 2) {
    for (std::int64_t i = 0; i < vectors; ++i) {
      if ((i & h) != 0) continue;
      const Floats a = v[i];
      const Floats b = v[i + h];
      v[i] = a + b;
      v[i + h] = a - b;
    }
  }
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(n));
  for (std::int64_t i = 0; i < vectors; ++i) store_some(x + i * kLanes, v[i] * scale, lanes);
}

}  // namespace fathom::engine::FATHOM_ISA
