#include "runtime/async/clock.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fathom {

Instant SystemClock::now() const { return std::chrono::steady_clock::now(); }

WallTime SystemClock::wall_now() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

asio::awaitable<void> SystemClock::sleep_until(Instant deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  co_await timer.async_wait(asio::use_awaitable);
}

WallTime ManualClock::wall_now() const {
  // A fixed, recognisable epoch: tests compare whole values, and golden files must not depend on
  // today.
  constexpr WallTime kEpoch = std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};
  return kEpoch + std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch());
}

asio::awaitable<void> ManualClock::sleep_until(Instant deadline) {
  if (deadline <= now_) co_return;
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  const auto entry = sleepers_.emplace(deadline, [&timer] { timer.cancel(); });
  struct Erase {
    std::multimap<Instant, std::function<void()>>& sleepers;
    std::multimap<Instant, std::function<void()>>::iterator entry;
    ~Erase() { sleepers.erase(entry); }
  } const erase{sleepers_, entry};
  // Being due and being cancelled both end the wait with operation_aborted; only the clock tells
  // them apart.
  boost::system::error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (now_ < deadline) throw boost::system::system_error(asio::error::operation_aborted);
}

bool ManualClock::jump() {
  if (sleepers_.empty()) return false;
  move_to(std::max(now_, sleepers_.begin()->first));
  return true;
}

void ManualClock::advance(Duration duration) { move_to(now_ + duration); }

void ManualClock::move_to(Instant instant) {
  now_ = instant;
  // Waking only cancels timers: the sleepers run, and erase themselves, later.
  for (auto it = sleepers_.begin(); it != sleepers_.end() && it->first <= now_; ++it) it->second();
}

}  // namespace fathom
