// CancellableTask: a task on a simulator that a test cancels from outside after so many steps.
#pragma once

#include "runtime/async/simulator.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <cstdint>
#include <exception>
#include <utility>

namespace fathom::test {

/// One thing more happens; time passes when there is nothing else. False when nothing can happen.
inline bool advance(Simulator& simulator) {
  return simulator.run_steps(1) == 1 || simulator.clock().jump();
}

class CancellableTask {
 public:
  /// Started from inside the simulator: Asio 1.81 loses a coroutine that is cancelled before its
  /// first step.
  CancellableTask(Simulator& simulator, asio::awaitable<void> task) : simulator_(simulator) {
    bool started = false;
    asio::post(simulator_.executor(), [&] {
      started = true;
      asio::co_spawn(simulator_.executor(), std::move(task),
                     asio::bind_cancellation_slot(cancel_.slot(), [this](std::exception_ptr error) {
                       over_ = true;
                       thrown_ = std::move(error);
                     }));
    });
    while (!started) REQUIRE(advance(simulator_));
  }
  CancellableTask(const CancellableTask&) = delete;
  CancellableTask& operator=(const CancellableTask&) = delete;

  /// False when it had ended by itself before that many steps.
  bool cancel_after(std::uint64_t steps) {
    for (std::uint64_t step = 0; step < steps && !over_; ++step) REQUIRE(advance(simulator_));
    const bool is_cancelled = !over_;
    if (is_cancelled)
      asio::post(simulator_.executor(), [this] {
        if (!over_) cancel_.emit(asio::cancellation_type::terminal);
      });
    finish();
    return is_cancelled;
  }
  void finish() {
    while (!over_) REQUIRE(advance(simulator_));
  }
  [[nodiscard]] const std::exception_ptr& thrown() const { return thrown_; }

 private:
  Simulator& simulator_;
  asio::cancellation_signal cancel_;
  bool over_ = false;
  std::exception_ptr thrown_;
};

}  // namespace fathom::test
