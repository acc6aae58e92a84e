// A whole product on all threads.
#pragma once

#include "engine/cpu/kernels.hpp"
#include "engine/cpu/thread_pool.hpp"

namespace fathom::engine {

/// Rows that one chunk of a product of n vectors should have where `threads` share `bytes` of
/// weights, those of this product and of others beside it: enough that taking a chunk costs
/// nothing, few enough that the threads end together.
std::int64_t matmul_grain(const WeightMatrix& w, std::int64_t n, std::int64_t bytes,
                          unsigned threads);

/// y = W x on the pool's threads; the same bits as matmul_rows over all rows.
void matmul(ThreadPool& pool, const Kernels& kernels, const WeightMatrix& w,
            const PreparedActivations& x, MatrixOutput y);

}  // namespace fathom::engine
