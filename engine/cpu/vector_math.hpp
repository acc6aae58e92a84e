// exp and its kin on 16 lanes; scalar_math.cpp runs the same formulas on one.
#pragma once

#include "engine/cpu/lanes.hpp"

namespace fathom::engine::FATHOM_ISA {

// Cody and Waite: x = n ln 2 + r, |r| <= ln 2 / 2, then a polynomial for e^r and 2^n in two
// factors, so that subnormal results are rounded once. The coefficients are Taylor's up to r^7 /
// 7!, whose remainder is 3e-10 of the result.
FATHOM_INLINE Floats exp(Floats x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves an integer in the low bits
  const Floats low = x < -110.0f ? broadcast(-110.0f) : x;
  const Floats bounded = low > 100.0f ? broadcast(100.0f) : low;
  const Floats shifted = fma(bounded, broadcast(1.44269504f), broadcast(kRound));
  const Floats n = shifted - kRound;
  Floats r = fma(n, broadcast(-0.693145752f), bounded);  // 16 bits of ln 2: n times it is exact
  r = fma(n, broadcast(-1.42860677e-6f), r);
  Floats p = broadcast(1.0f / 5040);
  p = fma(p, r, broadcast(1.0f / 720));
  p = fma(p, r, broadcast(1.0f / 120));
  p = fma(p, r, broadcast(1.0f / 24));
  p = fma(p, r, broadcast(1.0f / 6));
  p = fma(p, r, broadcast(0.5f));
  p = fma(p * r, r, r) + 1.0f;
  const Ints exponent = bits(shifted) - broadcast(0x4b400000);
  const Ints half = exponent >> 1;
  const Floats first = from_bits((half + 127) << 23);
  const Floats second = from_bits((exponent - half + 127) << 23);
  const Floats result = p * first * second;
  return x == x ? result : x;
}

FATHOM_INLINE Floats sigmoid(Floats x) { return 1.0f / (1.0f + exp(-x)); }

// ln(1 + y) for 0 <= y <= 1 as 2 atanh(s), s = y / (2 + y) <= 1/3: no cancellation for small y.
FATHOM_INLINE Floats log1p_unit(Floats y) {
  const Floats s = y / (2.0f + y);
  const Floats q = s * s;
  Floats p = broadcast(1.0f / 17);
  p = fma(p, q, broadcast(1.0f / 15));
  p = fma(p, q, broadcast(1.0f / 13));
  p = fma(p, q, broadcast(1.0f / 11));
  p = fma(p, q, broadcast(1.0f / 9));
  p = fma(p, q, broadcast(1.0f / 7));
  p = fma(p, q, broadcast(1.0f / 5));
  p = fma(p, q, broadcast(1.0f / 3));
  return fma(p * q, s, s) * 2.0f;
}

FATHOM_INLINE Floats softplus(Floats x) {
  const Floats above = x > 0.0f ? x : broadcast(0.0f);
  const Floats result = above + log1p_unit(exp(-abs(x)));
  return x == x ? result : x;
}

/// 2^(byte - 127) of each lane's byte, NaN for 255.
FATHOM_INLINE Floats e8m0(Ints byte) {
  const Ints shifted = byte << 23;
  const Ints finite = byte == 0 ? broadcast(0x00400000) : shifted;  // 2^-127 is subnormal
  return from_bits(byte == 255 ? broadcast(0x7fc00000) : finite);
}

}  // namespace fathom::engine::FATHOM_ISA
