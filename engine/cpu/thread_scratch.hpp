// One buffer a thread for decoded weights and entries: too large for the stack, too hot to allocate
// per call.
#pragma once

#include <cstdint>

namespace fathom::engine {

constexpr std::int64_t kThreadScratchFloats = 400 * 1024;

/// This thread's buffer of kThreadScratchFloats, aligned to a page, with anything in it. Made on
/// the thread's first call. Whoever calls a kernel that uses it must not hold it.
float* thread_scratch();

}  // namespace fathom::engine
