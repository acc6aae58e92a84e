// LimitWatch: limits that no control group holds, by looking at the tree while it runs. The first
// look comes late enough that short commands pay nothing.
//
// What it does not protect: what happens between two looks; a command can exceed its limit by as
// much as it allocates or writes in that time.
#pragma once

#include "sandbox/run_command.hpp"

namespace fathom::sandbox {

inline constexpr Duration kLookInterval = std::chrono::milliseconds(100);

class LimitWatch final : public CommandWatch {
 public:
  enum class Memory : std::uint8_t { counted, left_to_the_kernel };

  LimitWatch(Clock& clock, const policies::Limits& limits, Memory memory)
      : clock_(clock), limits_(limits), memory_(memory) {}

  asio::awaitable<void> watch(int pidfd, Outcome& outcome, std::function<void()> kill) override;

 private:
  Clock& clock_;
  const policies::Limits& limits_;
  Memory memory_;
};

}  // namespace fathom::sandbox
