// Signal: a condition variable for the coroutines of one thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace fathom {

namespace asio = boost::asio;

/// Wait in a loop that checks the condition: notify_all wakes everybody who waits at that moment,
/// and nobody later.
class Signal {
 public:
  explicit Signal(const asio::any_io_executor& executor)
      : timer_(executor, asio::steady_timer::time_point::max()) {}

  /// Returns after the next notify_all. Throws operation_aborted when the waiting task is
  /// cancelled.
  asio::awaitable<void> wait();
  void notify_all() { timer_.cancel(); }

 private:
  asio::steady_timer timer_;  ///< never expires; cancelling it is the wake-up
};

}  // namespace fathom
