#include "agents/interruption.hpp"

#include "runtime/async/task_group.hpp"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace fathom::agents {

asio::awaitable<void> until_interrupted(Control& control, asio::awaitable<void> work,
                                        const bool* stop) {
  if (control.is_interrupted()) co_return;
  const auto watching = [&]() -> asio::awaitable<void> {
    while (!control.is_interrupted() && !(stop != nullptr && *stop)) co_await control.wait();
  };
  // Either ends the other. The watch begins first: a cancellation is not for those who come later.
  TaskGroup group(co_await asio::this_coro::executor);
  const auto ends_all = [&](asio::awaitable<void> task) -> asio::awaitable<void> {
    co_await std::move(task);
    group.cancel();
  };
  group.spawn(ends_all(watching()));
  group.spawn(ends_all(std::move(work)));
  co_await group.join();
}

asio::awaitable<void> alongside(asio::awaitable<void> work, asio::awaitable<void> aside) {
  TaskGroup group(co_await asio::this_coro::executor);
  const auto ends_all = [&]() -> asio::awaitable<void> {
    co_await std::move(work);
    group.cancel();
  };
  group.spawn(std::move(aside));
  group.spawn(ends_all());
  co_await group.join();
}

}  // namespace fathom::agents
