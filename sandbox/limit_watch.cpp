#include "sandbox/limit_watch.hpp"

#include <algorithm>

namespace fathom::sandbox {

asio::awaitable<void> LimitWatch::watch(int pidfd, Outcome& outcome, std::function<void()> kill) {
  for (;;) {
    co_await clock_.sleep_for(kLookInterval);
    const pid_t root = pid_of(pidfd);
    if (root <= 0) co_return;
    const TreeUse use = measure_tree(root);
    cpu_ = std::max(cpu_, use.cpu);
    const std::uint64_t allocated = allocation_.measure(root);
    if (std::max(use.written_bytes, allocated) > limits_.disk_bytes) {
      const bool written = use.written_bytes >= allocated;
      outcome.end(Ending::disk_limit,
                  std::to_string(written ? use.written_bytes : allocated) +
                      (written ? " bytes written" : " bytes of disk allocated") + ", at most " +
                      std::to_string(limits_.disk_bytes) + " are allowed");
    } else if (memory_ == Memory::counted && use.memory_bytes > limits_.memory_bytes) {
      outcome.end(Ending::memory_limit, std::to_string(use.memory_bytes) +
                                            " bytes of memory, at most " +
                                            std::to_string(limits_.memory_bytes) + " are allowed");
    } else {
      continue;
    }
    kill();
    co_return;
  }
}

}  // namespace fathom::sandbox
