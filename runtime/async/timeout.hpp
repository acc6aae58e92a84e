// with_timeout: gives any fallible task a deadline.
#pragma once

#include "runtime/async/cancellation.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <string>
#include <utility>

namespace fathom {

/// Runs `task` until it ends or `deadline` passes; then the task is cancelled, waited for, and the
/// answer is an Error of code timeout saying `what` (such as "connect to host:443"). Cancelling the
/// caller cancels the task. The `||` of awaitable_operators is not used: it would sit out the whole
/// timeout when the task throws.
template <class T>
asio::awaitable<Result<T>> with_deadline(Clock& clock, Instant deadline, std::string what,
                                         asio::awaitable<Result<T>> task) {
  auto executor = co_await asio::this_coro::executor;
  auto group = asio::experimental::make_parallel_group(
      asio::co_spawn(executor, std::move(task), asio::deferred),
      asio::co_spawn(executor, clock.sleep_until(deadline), asio::deferred));
  auto [order, task_error, result, sleep_error] =
      co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  // A failure is never taken for the timeout that came with it.
  if (task_error && !is_cancellation(task_error)) std::rethrow_exception(task_error);
  if (order[0] == 1 && !sleep_error)
    co_return fail(ErrorCode::timeout, std::move(what) + ": timed out");
  if (task_error) std::rethrow_exception(task_error);
  co_return std::move(result);
}

template <class T>
asio::awaitable<Result<T>> with_timeout(Clock& clock, Duration timeout, std::string what,
                                        asio::awaitable<Result<T>> task) {
  return with_deadline(clock, clock.now() + timeout, std::move(what), std::move(task));
}

}  // namespace fathom
