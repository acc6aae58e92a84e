// The arithmetic of the forward pass, with one promise above speed: the same bits for every
// instruction set, thread count, partition into ranges, and batch.
//
// So each sum has one order, which belongs to the format and not to the machine. A row of weights
// is cut in blocks of 128; 16 lanes of f32 take 8 elements each of a block, one a step; element
// `e(lane, step)` is 16 step + lane, but 8 lane + step for fp4, whose bytes then decode with one
// shift and one table look-up. Behind the end of a row weights and activations count as zero.
//   fp8, fp4:   part = w x (step 0), part = fma(w, x, part); then acc = fma(part, scale, acc)
//   bf16, f32:  acc = fma(w, x, acc)
// acc starts at +0, and its 16 lanes are added as a fixed tree: l and l + 8, l + 4, l + 2, l + 1.
// One vector of x (GEMV), a few, or many (GEMM) differ in what is decoded once and held where,
// never in this order. NaN come out as NaN, but which of them may differ.
//
// Everything here is a pure function of its arguments (matmul_rows and attend keep a buffer a
// thread), allocates nothing else and takes no lock: threads are the caller's (thread_pool.hpp).
#pragma once

#include "engine/cpu/entries.hpp"
#include "engine/model/weight_matrix.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

/// Rows [begin, end) of a matrix: how a product is divided among threads.
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// x[n][cols], `stride` floats from one vector to the next.
struct Activations {
  const float* data = nullptr;
  std::int64_t n = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
};

/// Activations in the order (and for fp8 the scale, 2^8) in which the kernels of one format read
/// them. A view of the buffer given to prepare_activations.
struct PreparedActivations {
  const float* data = nullptr;
  std::int64_t n = 0;
  std::int64_t stride = 0;
};

/// y[t * stride + r] for vector t and row r of the matrix.
struct MatrixOutput {
  float* data = nullptr;
  std::int64_t stride = 0;
};

constexpr std::int64_t kBlock = 128;  ///< elements of a row that are summed before they are scaled

constexpr std::int64_t kColsMax = 128 * 1024;

/// Floats that n prepared vectors take: cols are rounded up to whole blocks.
constexpr std::int64_t prepared_floats(std::int64_t n, std::int64_t cols) {
  return n * ((cols + kBlock - 1) / kBlock * kBlock);
}

/// Writes prepared_floats(n, cols) to `buffer`, which must outlive the result; cols is at most
/// kColsMax. Never changes x. A buffer aligned to 64 bytes is read fastest. The result is for
/// products with all n vectors: how they lie depends on n.
PreparedActivations prepare_activations(WeightFormat format, const Activations& x, float* buffer);

/// The share of one thread: of all the x.n vectors only [begin, end), begin a multiple of
/// kPrepareGrain. When all shares are done the buffer is as prepare_activations leaves it.
void prepare_vectors(WeightFormat format, const Activations& x, RowRange vectors, float* buffer);
constexpr std::int64_t kPrepareGrain = 252;

/// swiglu: z = silu(min(gate, limit)) * clamp(up, -limit, limit) * factor; a limit of 0 is none.
struct SwigluOptions {
  float limit = 0;
  float factor = 1;
};

enum class RopeDirection : std::uint8_t { forward, inverse };

/// One query position against a list of KV entries, for some of its heads (v4-spec §2.6 step 5).
struct Attention {
  const float* queries = nullptr;  ///< [heads][shape.dims()]
  std::int64_t heads = 0;
  const float* sinks = nullptr;  ///< [heads]; -inf is no sink
  float scale = 1;               ///< of the products, not of the sinks
  KvShape shape;
  KvFormat format = KvFormat::f32;
  const std::byte* const* entries = nullptr;  ///< each kv_entry_bytes(format, shape)
  std::int64_t entry_count = 0;
  float* out = nullptr;  ///< [heads][shape.dims()]
};

/// score_b = sum_h weights[h] * relu(q_h . k_b) for a run of keys (v4-spec §2.6.2 step 4).
struct IndexScoring {
  const float* queries = nullptr;  ///< [heads][dims]
  const float* weights = nullptr;  ///< [heads]
  std::int64_t heads = 0;
  std::int64_t dims = 0;  ///< multiple of 32, at most kIndexDimsMax
  KvFormat format = KvFormat::f32;
  const std::byte* keys = nullptr;  ///< count entries of index_key_bytes(format, dims), no gaps
  std::int64_t count = 0;
  float* scores = nullptr;  ///< [count]
};

constexpr std::int64_t kIndexDimsMax = 256;

enum class Isa : std::uint8_t {
  scalar,  ///< what every machine has; the twin that the others are tested against
  avx2,    ///< with FMA and F16C
  avx512,  ///< F, BW, VL, DQ
};

std::string_view name_of(Isa isa);

/// The kernels of one instruction set. Lengths are in elements; pointers need no alignment;
/// in-place where only one buffer is named, and `out` may be the input.
struct Kernels {
  Isa isa;

  /// y = W x for the rows of `rows`. `x` was prepared for w.format and has w.cols columns. Reads
  /// no byte outside of the rows' data and scales. fp8 codes 7f and ff count as 480, not NaN.
  void (*matmul_rows)(const WeightMatrix& w, RowRange rows, const PreparedActivations& x,
                      MatrixOutput y);

  /// Element i goes to lane i % 16; behind the end stand zeros; then the tree.
  float (*dot)(const float* a, const float* b, std::int64_t n);
  /// out = x / sqrt(mean(x^2) + eps) * weight; weight may be null (1).
  void (*rms_norm)(const float* x, const float* weight, float eps, std::int64_t n, float* out);
  /// y = fma(a, x, y)
  void (*axpy)(float a, const float* x, std::int64_t n, float* y);
  /// out = sum over i < count of weights[i] * rows[i], in that order by fma. `out` is none of them.
  void (*combine)(const float* const* rows, const float* weights, std::int64_t count,
                  std::int64_t n, float* out);

  // Functions of vector_math.hpp, element by element: the bits of scalar_math.hpp.
  void (*exp)(float* x, std::int64_t n);
  void (*sigmoid)(float* x, std::int64_t n);
  /// sqrt(softplus(x)), the router's score
  void (*sqrt_softplus)(float* x, std::int64_t n);
  /// In place; the sum as in dot.
  void (*softmax)(float* x, std::int64_t n);
  void (*swiglu)(const float* gate, const float* up, SwigluOptions options, std::int64_t n,
                 float* out);

  /// Pairs (2k, 2k + 1) of x, k < pairs, by the angle whose cosine and sine are cos[k], sin[k].
  void (*rope)(float* x, const float* cos, const float* sin, std::int64_t pairs,
               RopeDirection direction);
  /// Sylvester's matrix times x, over sqrt(n); n a power of two, 2 to 256.
  void (*hadamard)(float* x, std::int64_t n);

  /// Rounds to the grid of v4-spec §4.1 in place: q * s. A block with NaN or infinity becomes NaN.
  void (*fp8_quantize)(float* x, std::int64_t n, std::int64_t block);
  void (*fp4_quantize)(float* x, std::int64_t n);

  /// One KV entry to its stored form and back. Storing loses nothing of what fp8_quantize(64) and
  /// rounding of the last dims to bf16 left.
  void (*encode_kv)(const float* x, KvShape shape, std::byte* entry);
  void (*decode_kv)(const std::byte* entry, KvShape shape, float* x);
  /// One index key of `dims` to its stored form (after fp4_quantize) and back.
  void (*encode_index_key)(const float* x, std::int64_t dims, std::byte* key);
  void (*decode_index_key)(const std::byte* key, std::int64_t dims, float* x);

  /// Entries are taken in blocks of kAttentionBlock with one running maximum that starts at the
  /// sink; within a block s = dot(q, kv) * scale, and out is summed entry by entry.
  void (*attend)(const Attention& attention);
  /// Sums over dims, then over heads, one after the other, by fma.
  void (*index_scores)(const IndexScoring& scoring);

  /// Yardsticks of benchmarks and of the choice below: kFmaProbeFlops * steps of independent
  /// multiply-adds, and a sum that reads every byte.
  float (*fma_probe)(std::int64_t steps);
  std::uint64_t (*read_probe)(const std::byte* data, std::int64_t bytes);
};

constexpr std::int64_t kAttentionBlock = 64;
constexpr double kFmaProbeFlops = 2.0 * 16 * 24;  ///< of a step: 24 chains of 16 lanes

/// The kernels of `isa`, or null where this build or this processor has none.
const Kernels* kernels_for(Isa isa);

struct IsaProbe {
  Isa isa{};
  bool usable = false;  ///< compiled in and offered by the processor
  double probe_us = 0;  ///< best time of a small product in each format; 0 where not measured
};

/// What was chosen, for `fathom doctor` and benchmarks.
struct KernelChoice {
  const Kernels* kernels = nullptr;
  std::vector<IsaProbe> probes;  ///< in the order of Isa
  std::string reason;            ///< "fastest of 3 in a probe" or "FATHOM_ISA=avx2"
};

/// Chooses by name, or by measuring when `wanted` is empty: on some processors the widest set is
/// not the fastest. Fails with `usage` for an unknown name and `unsupported` for what cannot run.
Result<KernelChoice> choose_kernels(std::string_view wanted);

/// The choice of this process: $FATHOM_ISA or the probe, made once. Fails when that variable names
/// nothing usable: a program says so before it computes.
const Result<KernelChoice>& try_kernel_choice();
/// The same, where it must have been made: ends the process when it failed.
const KernelChoice& kernel_choice();
inline const Kernels& kernels() { return *kernel_choice().kernels; }

}  // namespace fathom::engine
