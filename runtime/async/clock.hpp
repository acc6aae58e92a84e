// Time, injected: nothing in Fathom reads the wall clock or sleeps except through a Clock.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <map>

namespace fathom {

namespace asio = boost::asio;

/// A point on the monotonic clock (CLOCK_MONOTONIC): for deadlines and durations.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
/// A point in UTC: for people and records only, never for arithmetic on deadlines.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

class Clock {
 public:
  Clock() = default;
  virtual ~Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual WallTime wall_now() const = 0;
  /// Returns at `deadline` or soon after; at once when it has passed. Throws operation_aborted on
  /// cancellation.
  virtual asio::awaitable<void> sleep_until(Instant deadline) = 0;

  asio::awaitable<void> sleep_for(Duration duration) { return sleep_until(now() + duration); }
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] WallTime wall_now() const override;
  asio::awaitable<void> sleep_until(Instant deadline) override;
};

/// A clock that stands still until told to move. Sleepers are parked on timers that never expire,
/// so a cancelled sleeper needs no bookkeeping; jump() wakes those that are due. Single-threaded,
/// like everything that uses it.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] WallTime wall_now() const override;
  asio::awaitable<void> sleep_until(Instant deadline) override;

  /// Moves to the earliest deadline and wakes everybody due then. False when nobody sleeps.
  bool jump();
  /// Moves on by `duration` and wakes everybody due by then.
  void advance(Duration duration);
  [[nodiscard]] std::size_t sleepers() const { return sleepers_.size(); }

 private:
  void move_to(Instant instant);

  Instant now_{};
  /// The wake-up of each parked sleeper. Erased by the sleeper itself, also when it is cancelled.
  std::multimap<Instant, std::function<void()>> sleepers_;
};

}  // namespace fathom
