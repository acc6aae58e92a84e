// What torch spends its time on at this model's size, one pass each: the softmax of attention, the
// maps of the hyper-connections, reading and writing the streams, the experts' activation.
//
// Called by kernels.py: `at` are the arrays in the order in which a function takes them, `sizes`
// and `numbers` its whole and other numbers. Every array is contiguous; b16 is a BF16's bits. One
// thread.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

using b16 = std::uint16_t;

template <class T>
T* array(void* pointer) {
  return static_cast<T*>(pointer);
}

constexpr long kStreams = 4;
constexpr long kMaps = (2 + kStreams) * kStreams;
constexpr long kKeysMax = 8192;
constexpr int kIterationsMax = 32;

inline float wide(b16 bits) {
  const std::uint32_t word = std::uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}
inline b16 narrow(float value) {
  std::uint32_t word;
  std::memcpy(&word, &value, 4);
  return static_cast<b16>((word + 0x7fff + ((word >> 16) & 1)) >> 16);
}
// Where exp would overflow, fast arithmetic makes of 1 / infinity what is no number.
inline float sigmoid(float x) { return 1 / (1 + std::exp(std::min(-x, 80.0F))); }

// Of a chunk of queries from `first` on: which columns row `i` sees. Columns are the latents from
// `low` on, `raw` of them, then compressed entries.
struct Seen {
  long a;  ///< latents [a, b)
  long b;
  long c;  ///< entries [c, d)
  long d;
};
inline Seen seen(long position, long low, long raw, long window, long ratio) {
  Seen out{std::max(0L, position - window + 1 - low), position - low + 1, raw, raw};
  if (ratio > 0) out.d = raw + (position + 1) / ratio;
  return out;
}

using Matrix = float[kStreams][kStreams];

inline void columns(Matrix m, float eps, float* sums) {
  for (long j = 0; j < kStreams; ++j) {
    sums[j] = eps;
    for (long i = 0; i < kStreams; ++i) sums[j] += m[i][j];
    for (long i = 0; i < kStreams; ++i) m[i][j] /= sums[j];
  }
}
inline void rows(Matrix m, float eps, float* sums) {
  for (long i = 0; i < kStreams; ++i) {
    sums[i] = eps;
    for (long j = 0; j < kStreams; ++j) sums[i] += m[i][j];
    for (long j = 0; j < kStreams; ++j) m[i][j] /= sums[i];
  }
}
inline void softmax_rows(const float* in, float eps, Matrix m) {
  for (long i = 0; i < kStreams; ++i) {
    float top = in[i * kStreams];
    for (long j = 1; j < kStreams; ++j) top = std::max(top, in[i * kStreams + j]);
    float sum = 0;
    for (long j = 0; j < kStreams; ++j) sum += m[i][j] = std::exp(in[i * kStreams + j] - top);
    for (long j = 0; j < kStreams; ++j) m[i][j] = m[i][j] / sum + eps;
  }
}

struct Sinkhorn {
  int iterations;
  float eps;
};

// From the gradient of the doubly stochastic matrix to that of what it was made from, `in` [16].
void comb_backward(const float* in, const float* grad, float* out, const Sinkhorn& sinkhorn) {
  // The iterations again, each result kept: two divisions an iteration.
  Matrix kept[2 * kIterationsMax];
  Matrix start;
  float sums[2 * kIterationsMax][kStreams];
  softmax_rows(in, sinkhorn.eps, start);
  Matrix m;
  std::memcpy(m, start, sizeof m);
  int steps = 0;
  columns(m, sinkhorn.eps, sums[steps]);
  std::memcpy(kept[steps++], m, sizeof m);
  for (int k = 1; k < sinkhorn.iterations; ++k) {
    rows(m, sinkhorn.eps, sums[steps]);
    std::memcpy(kept[steps++], m, sizeof m);
    columns(m, sinkhorn.eps, sums[steps]);
    std::memcpy(kept[steps++], m, sizeof m);
  }
  Matrix g;
  std::memcpy(g, grad, sizeof g);
  for (int k = steps - 1; k >= 0; --k) {
    const bool by_column = k % 2 == 0;
    for (long a = 0; a < kStreams; ++a) {
      float dot = 0;
      for (long b = 0; b < kStreams; ++b)
        dot += by_column ? g[b][a] * kept[k][b][a] : g[a][b] * kept[k][a][b];
      for (long b = 0; b < kStreams; ++b) {
        float& cell = by_column ? g[b][a] : g[a][b];
        cell = (cell - dot) / sums[k][a];
      }
    }
  }
  for (long i = 0; i < kStreams; ++i) {
    float dot = 0;
    for (long j = 0; j < kStreams; ++j) dot += g[i][j] * (start[i][j] - sinkhorn.eps);
    for (long j = 0; j < kStreams; ++j)
      out[i * kStreams + j] = (start[i][j] - sinkhorn.eps) * (g[i][j] - dot);
  }
}

}  // namespace

extern "C" {

// scores [batch, heads, rows, columns] become weights, in place; the sink takes its share.
void softmax_forward(void* const* at, const long* sizes, const float* numbers) {
  auto* scores = array<b16>(at[0]);
  const auto* sink = array<const float>(at[1]);
  const long* shape = sizes;
  const long* place = sizes + 4;
  const float scale = numbers[0];
  const long batch = shape[0];
  const long heads = shape[1];
  const long count = shape[2];
  const long width = shape[3];
  const long first = place[0];
  const long low = place[1];
  const long raw = place[2];
  const long window = place[3];
  const long ratio = place[4];
  float row[kKeysMax];
  for (long n = 0; n < batch * heads; ++n)
    for (long i = 0; i < count; ++i) {
      b16* p = scores + (n * count + i) * width;
      const Seen s = seen(first + i, low, raw, window, ratio);
      const float at_sink = sink[n % heads];
      float top = at_sink;
      for (long j = s.a; j < s.b; ++j) top = std::max(top, row[j] = wide(p[j]) * scale);
      for (long j = s.c; j < s.d; ++j) top = std::max(top, row[j] = wide(p[j]) * scale);
      float sum = std::exp(at_sink - top);
      for (long j = s.a; j < s.b; ++j) sum += row[j] = std::exp(row[j] - top);
      for (long j = s.c; j < s.d; ++j) sum += row[j] = std::exp(row[j] - top);
      const float part = 1 / sum;
      for (long j = 0; j < s.a; ++j) p[j] = 0;
      for (long j = s.a; j < s.b; ++j) p[j] = narrow(row[j] * part);
      for (long j = s.b; j < s.c; ++j) p[j] = 0;
      for (long j = s.c; j < s.d; ++j) p[j] = narrow(row[j] * part);
      for (long j = s.d; j < width; ++j) p[j] = 0;
    }
}

// grad: of the weights, becomes that of the scores before `scale`. sink_grad [heads] is added to.
void softmax_backward(void* const* at, const long* sizes, const float* numbers) {
  const auto* weights = array<const b16>(at[0]);
  auto* grad = array<b16>(at[1]);
  auto* sink_grad = array<float>(at[2]);
  const long* shape = sizes;
  const long* place = sizes + 4;
  const float scale = numbers[0];
  const long batch = shape[0];
  const long heads = shape[1];
  const long count = shape[2];
  const long width = shape[3];
  const long first = place[0];
  const long low = place[1];
  const long raw = place[2];
  const long window = place[3];
  const long ratio = place[4];
  for (long n = 0; n < batch * heads; ++n)
    for (long i = 0; i < count; ++i) {
      const b16* p = weights + (n * count + i) * width;
      b16* g = grad + (n * count + i) * width;
      const Seen s = seen(first + i, low, raw, window, ratio);
      float dot = 0;
      float sum = 0;
      for (long j = s.a; j < s.b; ++j) dot += wide(p[j]) * wide(g[j]), sum += wide(p[j]);
      for (long j = s.c; j < s.d; ++j) dot += wide(p[j]) * wide(g[j]), sum += wide(p[j]);
      sink_grad[n % heads] -= (1 - sum) * dot;
      for (long j = 0; j < s.a; ++j) g[j] = 0;
      for (long j = s.a; j < s.b; ++j) g[j] = narrow(wide(p[j]) * (wide(g[j]) - dot) * scale);
      for (long j = s.b; j < s.c; ++j) g[j] = 0;
      for (long j = s.c; j < s.d; ++j) g[j] = narrow(wide(p[j]) * (wide(g[j]) - dot) * scale);
      for (long j = s.d; j < width; ++j) g[j] = 0;
    }
}

// 1 / root mean square of each of n rows of `size`.
void inverse_rms(void* const* at, const long* sizes, const float* numbers) {
  const auto* x = array<const float>(at[0]);
  auto* out = array<float>(at[1]);
  const long n = sizes[0];
  const long size = sizes[1];
  const float eps = numbers[0];
  for (long i = 0; i < n; ++i) {
    float sum = 0;
    for (long j = 0; j < size; ++j) sum += x[i * size + j] * x[i * size + j];
    out[i] = 1 / std::sqrt(sum / static_cast<float>(size) + eps);
  }
}

// mix [n, 24] before its factor `inverse` [n]; pre, post [n, 4], comb [n, 4, 4].
void maps_forward(void* const* at, const long* sizes, const float* numbers) {
  const auto* mix = array<const float>(at[0]);
  const auto* inverse = array<const float>(at[1]);
  const auto* base = array<const float>(at[2]);
  const auto* scale = array<const float>(at[3]);
  auto* pre = array<float>(at[4]);
  auto* post = array<float>(at[5]);
  auto* comb = array<float>(at[6]);
  const long n = sizes[0];
  const long iterations = sizes[1];
  const float eps = numbers[0];
  for (long t = 0; t < n; ++t) {
    const float* x = mix + t * kMaps;
    const float r = inverse[t];
    for (long i = 0; i < kStreams; ++i) {
      pre[t * kStreams + i] = sigmoid(x[i] * r * scale[0] + base[i]) + eps;
      post[t * kStreams + i] = 2 * sigmoid(x[kStreams + i] * r * scale[1] + base[kStreams + i]);
    }
    float in[kStreams * kStreams];
    float sums[kStreams];
    for (long i = 0; i < kStreams * kStreams; ++i)
      in[i] = x[2 * kStreams + i] * r * scale[2] + base[2 * kStreams + i];
    Matrix m;
    softmax_rows(in, eps, m);
    columns(m, eps, sums);
    for (int k = 1; k < iterations; ++k) rows(m, eps, sums), columns(m, eps, sums);
    std::memcpy(comb + t * kStreams * kStreams, m, sizeof m);
  }
}

// mix_grad [n, 24] and inverse_grad [n] are written; base_grad [24] and scale_grad [3] added to.
void maps_backward(void* const* at, const long* sizes, const float* numbers) {
  const auto* mix = array<const float>(at[0]);
  const auto* inverse = array<const float>(at[1]);
  const auto* base = array<const float>(at[2]);
  const auto* scale = array<const float>(at[3]);
  const auto* pre_grad = array<const float>(at[4]);
  const auto* post_grad = array<const float>(at[5]);
  const auto* comb_grad = array<const float>(at[6]);
  auto* mix_grad = array<float>(at[7]);
  auto* inverse_grad = array<float>(at[8]);
  auto* base_grad = array<float>(at[9]);
  auto* scale_grad = array<float>(at[10]);
  const long n = sizes[0];
  const long iterations = sizes[1];
  const float eps = numbers[0];
  for (long t = 0; t < n; ++t) {
    const float* x = mix + t * kMaps;
    const float r = inverse[t];
    float z[kMaps];
    float dz[kMaps];
    for (long i = 0; i < kMaps; ++i) z[i] = x[i] * r * scale[std::min(i / kStreams, 2L)] + base[i];
    for (long i = 0; i < 2 * kStreams; ++i) {
      const float y = sigmoid(z[i]);
      const bool reads = i < kStreams;
      const float g =
          reads ? pre_grad[t * kStreams + i] : 2 * post_grad[t * kStreams + i - kStreams];
      dz[i] = g * y * (1 - y);
    }
    comb_backward(z + 2 * kStreams, comb_grad + t * kStreams * kStreams, dz + 2 * kStreams,
                  {static_cast<int>(iterations), eps});
    float dr = 0;
    for (long i = 0; i < kMaps; ++i) {
      const float s = scale[std::min(i / kStreams, 2L)];
      mix_grad[t * kMaps + i] = dz[i] * r * s;
      dr += dz[i] * x[i] * s;
      base_grad[i] += dz[i];
      scale_grad[std::min(i / kStreams, 2L)] += dz[i] * x[i] * r;
    }
    inverse_grad[t] = dr;
  }
}

// out = rms(sum of pre_i X_i) * weight, [n, size]; inverse [n] is kept for the way back.
void read_forward(void* const* at, const long* sizes, const float* numbers) {
  const auto* streams = array<const float>(at[0]);
  const auto* pre = array<const float>(at[1]);
  const auto* weight = array<const float>(at[2]);
  auto* out = array<float>(at[3]);
  auto* inverse = array<float>(at[4]);
  const long n = sizes[0];
  const long size = sizes[1];
  const float eps = numbers[0];
  for (long t = 0; t < n; ++t) {
    const float* x = streams + t * kStreams * size;
    const float* a = pre + t * kStreams;
    float* u = out + t * size;
    float sum = 0;
    for (long j = 0; j < size; ++j) {
      u[j] = a[0] * x[j] + a[1] * x[size + j] + a[2] * x[2 * size + j] + a[3] * x[3 * size + j];
      sum += u[j] * u[j];
    }
    const float r = inverse[t] = 1 / std::sqrt(sum / static_cast<float>(size) + eps);
    for (long j = 0; j < size; ++j) u[j] *= r * weight[j];
  }
}

void read_backward(void* const* at, const long* sizes, const float* numbers) {
  (void)numbers;
  const auto* streams = array<const float>(at[0]);
  const auto* pre = array<const float>(at[1]);
  const auto* weight = array<const float>(at[2]);
  const auto* inverse = array<const float>(at[3]);
  const auto* grad = array<const float>(at[4]);
  auto* streams_grad = array<float>(at[5]);
  auto* pre_grad = array<float>(at[6]);
  auto* weight_grad = array<float>(at[7]);
  const long n = sizes[0];
  const long size = sizes[1];
  float u[kKeysMax];
  for (long t = 0; t < n; ++t) {
    const float* x = streams + t * kStreams * size;
    const float* a = pre + t * kStreams;
    const float* g = grad + t * size;
    const float r = inverse[t];
    float dot = 0;
    for (long j = 0; j < size; ++j) {
      u[j] = a[0] * x[j] + a[1] * x[size + j] + a[2] * x[2 * size + j] + a[3] * x[3 * size + j];
      dot += g[j] * weight[j] * u[j];
      weight_grad[j] += g[j] * u[j] * r;
    }
    dot *= r * r * r / static_cast<float>(size);
    for (long j = 0; j < size; ++j) u[j] = g[j] * weight[j] * r - dot * u[j];
    for (long i = 0; i < kStreams; ++i) {
      float sum = 0;
      float* dx = streams_grad + (t * kStreams + i) * size;
      for (long j = 0; j < size; ++j) dx[j] = a[i] * u[j], sum += u[j] * x[i * size + j];
      pre_grad[t * kStreams + i] = sum;
    }
  }
}

// out_j = post_j y + sum over i of comb_ij X_i.
void write_forward(void* const* at, const long* sizes, const float* numbers) {
  (void)numbers;
  const auto* streams = array<const float>(at[0]);
  const auto* y = array<const float>(at[1]);
  const auto* post = array<const float>(at[2]);
  const auto* comb = array<const float>(at[3]);
  auto* out = array<float>(at[4]);
  const long n = sizes[0];
  const long size = sizes[1];
  for (long t = 0; t < n; ++t) {
    const float* x = streams + t * kStreams * size;
    const float* c = comb + t * kStreams * kStreams;
    for (long k = 0; k < kStreams; ++k) {
      float* o = out + (t * kStreams + k) * size;
      const float p = post[t * kStreams + k];
      const float c0 = c[k];
      const float c1 = c[4 + k];
      const float c2 = c[8 + k];
      const float c3 = c[12 + k];
      for (long j = 0; j < size; ++j)
        o[j] = p * y[t * size + j] + c0 * x[j] + c1 * x[size + j] + c2 * x[2 * size + j] +
               c3 * x[3 * size + j];
    }
  }
}

void write_backward(void* const* at, const long* sizes, const float* numbers) {
  (void)numbers;
  const auto* streams = array<const float>(at[0]);
  const auto* y = array<const float>(at[1]);
  const auto* post = array<const float>(at[2]);
  const auto* comb = array<const float>(at[3]);
  const auto* grad = array<const float>(at[4]);
  auto* streams_grad = array<float>(at[5]);
  auto* y_grad = array<float>(at[6]);
  auto* post_grad = array<float>(at[7]);
  auto* comb_grad = array<float>(at[8]);
  const long n = sizes[0];
  const long size = sizes[1];
  for (long t = 0; t < n; ++t) {
    const float* x = streams + t * kStreams * size;
    const float* g = grad + t * kStreams * size;
    const float* c = comb + t * kStreams * kStreams;
    const float* p = post + t * kStreams;
    const float* v = y + t * size;
    for (long j = 0; j < size; ++j)
      y_grad[t * size + j] =
          p[0] * g[j] + p[1] * g[size + j] + p[2] * g[2 * size + j] + p[3] * g[3 * size + j];
    for (long i = 0; i < kStreams; ++i) {
      float* dx = streams_grad + (t * kStreams + i) * size;
      const float* xi = x + i * size;
      float s0 = 0;
      float s1 = 0;
      float s2 = 0;
      float s3 = 0;
      float sp = 0;
      for (long j = 0; j < size; ++j) {
        const float g0 = g[j];
        const float g1 = g[size + j];
        const float g2 = g[2 * size + j];
        const float g3 = g[3 * size + j];
        dx[j] = c[i * 4] * g0 + c[i * 4 + 1] * g1 + c[i * 4 + 2] * g2 + c[i * 4 + 3] * g3;
        s0 += xi[j] * g0, s1 += xi[j] * g1, s2 += xi[j] * g2, s3 += xi[j] * g3;
        sp += v[j] * g[i * size + j];
      }
      float* dc = comb_grad + t * kStreams * kStreams + i * kStreams;
      dc[0] = s0, dc[1] = s1, dc[2] = s2, dc[3] = s3;
      post_grad[t * kStreams + i] = sp;
    }
  }
}

// out = weight of the expert * silu(min(gate, L)) * clamp(up, -L, L); [n, experts, inner].
void activation_forward(void* const* at, const long* sizes, const float* numbers) {
  const auto* gate = array<const b16>(at[0]);
  const auto* up = array<const b16>(at[1]);
  const auto* weights = array<const float>(at[2]);
  auto* out = array<b16>(at[3]);
  const long n = sizes[0];
  const long inner = sizes[1];
  const float limit = numbers[0];
  for (long t = 0; t < n; ++t) {
    const float w = weights[t];
    for (long j = t * inner; j < (t + 1) * inner; ++j) {
      const float a = std::min(wide(gate[j]), limit);
      const float b = std::max(-limit, std::min(wide(up[j]), limit));
      out[j] = narrow(a * sigmoid(a) * b * w);
    }
  }
}

void activation_backward(void* const* at, const long* sizes, const float* numbers) {
  const auto* gate = array<const b16>(at[0]);
  const auto* up = array<const b16>(at[1]);
  const auto* weights = array<const float>(at[2]);
  const auto* grad = array<const b16>(at[3]);
  auto* gate_grad = array<b16>(at[4]);
  auto* up_grad = array<b16>(at[5]);
  auto* weights_grad = array<float>(at[6]);
  const long n = sizes[0];
  const long inner = sizes[1];
  const float limit = numbers[0];
  for (long t = 0; t < n; ++t) {
    const float w = weights[t];
    float sum = 0;
    for (long j = t * inner; j < (t + 1) * inner; ++j) {
      const float raw_a = wide(gate[j]);
      const float raw_b = wide(up[j]);
      const float g = wide(grad[j]);
      const float a = std::min(raw_a, limit);
      const float b = std::max(-limit, std::min(raw_b, limit));
      const float s = sigmoid(a);
      const float y = a * s;
      sum += g * y * b;
      gate_grad[j] = narrow(raw_a <= limit ? g * w * b * (s + y * (1 - s)) : 0.0F);
      up_grad[j] = narrow(raw_b >= -limit && raw_b <= limit ? g * w * y : 0.0F);
    }
    weights_grad[t] = sum;
  }
}
}
