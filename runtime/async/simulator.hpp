// Simulator: runs coroutines on virtual time in an order chosen by a seed, so that a test explores
// many interleavings in milliseconds and repeats the one that failed.
//
// How: its executor does not run a posted task but puts it into a pool, and the loop takes one at
// random. When nothing is ready, the manual clock jumps to the next deadline. A program that is
// correct for every seed does not rely on an order that the real scheduler happens to have. What
// Asio guarantees is kept: dispatch() from inside a running task runs at once (co_spawn relies on
// it: Boost 1.81 loses a coroutine cancelled before its first step).
#pragma once

#include "runtime/async/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <vector>

namespace fathom {

class Simulator {
 public:
  /// More steps than this in one run is taken for a live-lock and fails the run.
  static constexpr std::uint64_t kStepsMax = 10'000'000;

  class Executor;

  explicit Simulator(std::uint64_t seed) : seed_(seed), random_(seed) {}
  /// Destroys unfinished tasks. Tasks hold references into what they use: let that outlive the
  /// simulator, or run until idle first.
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  [[nodiscard]] asio::any_io_executor executor();
  [[nodiscard]] ManualClock& clock() { return clock_; }
  [[nodiscard]] std::mt19937_64& random() { return random_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

  /// Starts `task` and runs until nothing is ready and nobody sleeps. Rethrows what the task threw.
  /// The task must have ended by then: a task still waiting for something that will never come
  /// fails with a deadlock error.
  void run(asio::awaitable<void> task);

  /// Runs until nothing is ready and nobody sleeps. Returns the number of steps taken.
  std::uint64_t run_until_idle();
  /// Runs at most `steps` ready tasks, without moving the clock; for tests that interrupt at every
  /// step.
  std::uint64_t run_steps(std::uint64_t steps);

 private:
  /// An io_context whose pending operations can be dropped while its timers may still be touched.
  struct Context : asio::io_context {
    Context() : asio::io_context(1) {}
    using asio::io_context::shutdown;
  };

  /// Moves what the reactor has completed into ready_, then runs one of them. False when there is
  /// none.
  bool step();
  void drop_ready();

  std::uint64_t seed_;
  std::mt19937_64 random_;
  ManualClock clock_;
  Context io_;
  std::vector<std::move_only_function<void()>> ready_;
  bool running_ = false;  ///< inside a task of ready_
};

/// The executor that hands tasks to the pool instead of running them.
class Simulator::Executor {
 public:
  explicit Executor(Simulator& simulator) : simulator_(&simulator) {}

  [[nodiscard]] asio::execution_context& query(asio::execution::context_t) const noexcept {
    return simulator_->io_;
  }
  [[nodiscard]] asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept {
    if (may_run_inline_) return asio::execution::blocking.possibly;
    return asio::execution::blocking.never;
  }
  [[nodiscard]] Executor require(asio::execution::blocking_t::never_t) const {
    return {*simulator_, false};
  }
  [[nodiscard]] Executor require(asio::execution::blocking_t::possibly_t) const {
    return {*simulator_, true};
  }

  template <class Task>
  void execute(Task task) const {
    if (may_run_inline_ && simulator_->running_) {
      task();
    } else {
      simulator_->ready_.emplace_back(std::move(task));
    }
  }

  friend bool operator==(const Executor&, const Executor&) noexcept = default;

 private:
  Executor(Simulator& simulator, bool may_run_inline)
      : simulator_(&simulator), may_run_inline_(may_run_inline) {}

  Simulator* simulator_;
  bool may_run_inline_ = true;
};

}  // namespace fathom
