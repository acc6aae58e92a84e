#include "engine/cpu/thread_scratch.hpp"

#include "runtime/base/ensure.hpp"

#include <cstdlib>
#include <memory>

namespace fathom::engine {
namespace {

struct Free {
  void operator()(float* buffer) const { std::free(buffer); }
};

}  // namespace

float* thread_scratch() {
  thread_local const std::unique_ptr<float, Free> buffer(
      static_cast<float*>(std::aligned_alloc(4096, kThreadScratchFloats * sizeof(float))));
  ENSURE(buffer != nullptr, "1.6 MiB a thread can be had");
  return buffer.get();
}

}  // namespace fathom::engine
