#include "runtime/async/signal.hpp"

#include "runtime/async/cancellation.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fathom {

asio::awaitable<void> Signal::wait() {
  boost::system::error_code ec;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  // A notification and a cancellation of this task both end the wait with operation_aborted.
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw_cancelled();
}

}  // namespace fathom
