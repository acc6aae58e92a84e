// LimitWatch: limits that no control group holds, by looking at the tree while it runs. The first
// look comes late enough that short commands pay nothing.
//
// What it does not protect: what happens between two looks; a command can exceed its limit by as
// much as it allocates or writes in that time.
#pragma once

#include "sandbox/run_command.hpp"
#include "sandbox/tree_meter.hpp"

namespace fathom::sandbox {

inline constexpr Duration kLookInterval = std::chrono::milliseconds(100);

class LimitWatch final : public CommandWatch {
 public:
  enum class Memory : std::uint8_t { counted, left_to_the_kernel };

  LimitWatch(Clock& clock, const policies::Limits& limits, Memory memory)
      : clock_(clock), limits_(limits), memory_(memory) {}

  /// Processor time of the tree at the last look.
  [[nodiscard]] std::chrono::milliseconds cpu() const { return cpu_; }

  asio::awaitable<void> watch(int pidfd, Outcome& outcome, std::function<void()> kill) override;

 private:
  Clock& clock_;
  const policies::Limits& limits_;
  Memory memory_;
  AllocationMeter allocation_;
  std::chrono::milliseconds cpu_{0};
};

}  // namespace fathom::sandbox
