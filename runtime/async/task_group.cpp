#include "runtime/async/task_group.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/base/ensure.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace fathom {

TaskGroup::TaskGroup(asio::any_io_executor executor)
    : executor_(std::move(executor)), idle_(executor_, asio::steady_timer::time_point::max()) {}

TaskGroup::~TaskGroup() { ENSURE(children_.empty(), "join() the group before leaving its scope"); }

// co_spawn of Boost 1.81 ends a task that has never waited with a wait of its own, in which a
// cancellation is thrown past everything that catches: the completion handler is never called, and
// join() would wait for ever. So a child hears of cancellation only while its task runs.
asio::awaitable<void> TaskGroup::run(Child& child, asio::awaitable<void> task) {
  child.has_begun = true;
  if (child.is_unwanted) co_return;
  std::exception_ptr error;
  try {
    co_await std::move(task);
  } catch (...) {
    error = std::current_exception();
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  if (error) std::rethrow_exception(error);
}

void TaskGroup::cancel(Child& child) {
  if (child.has_begun)
    child.signal.emit(asio::cancellation_type::terminal);
  else
    child.is_unwanted = true;
}

void TaskGroup::spawn(asio::awaitable<void> task) {
  const auto child = children_.emplace(children_.end());
  asio::co_spawn(
      executor_, run(*child, std::move(task)),
      asio::bind_cancellation_slot(child->signal.slot(), [this, child](std::exception_ptr error) {
        finished(child, std::move(error));
      }));
  // A group that is going down takes newcomers with it, otherwise join() would wait for their whole
  // life.
  if (cancelled_ || first_error_) cancel(*child);
}

void TaskGroup::cancel() {
  // It may finish, and so erase, the very child it wakes: step on before.
  for (auto child = children_.begin(); child != children_.end();) cancel(*child++);
}

asio::awaitable<void> TaskGroup::join() {
  // The flag belongs to the caller's whole coroutine stack, so it is put back before every way out.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  bool stopped = false;
  for (;;) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none && !stopped) {
      // Cancelled from above: stop the children, then go on waiting for them.
      stopped = true;
      cancelled_ = true;
      cancel();
    }
    if (children_.empty()) break;
    boost::system::error_code ec;
    co_await idle_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (stopped) throw_cancelled();
  if (first_error_) std::rethrow_exception(std::exchange(first_error_, nullptr));
}

void TaskGroup::finished(Children::iterator child, std::exception_ptr error) {
  children_.erase(child);
  if (error && !first_error_ && !is_cancellation(error)) {
    first_error_ = std::move(error);
    cancel();
  }
  if (children_.empty()) idle_.cancel();
}

}  // namespace fathom
