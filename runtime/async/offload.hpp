// offload: blocking work leaves the agent thread and its answer comes back.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <type_traits>
#include <utility>

namespace fathom {

namespace asio = boost::asio;

/// The threads that run blocking work: file syncs, hashing, compression, name look-ups.
class OffloadPool {
 public:
  /// Blocked in the kernel most of the time, so more than cores.
  static constexpr std::size_t kThreads = 4;

  OffloadPool() : pool_(kThreads) {}
  /// Waits for the work that was already handed over.
  ~OffloadPool() { pool_.join(); }
  OffloadPool(const OffloadPool&) = delete;
  OffloadPool& operator=(const OffloadPool&) = delete;

  asio::thread_pool& threads() { return pool_; }

 private:
  asio::thread_pool pool_;
};

/// Runs `work` on the pool and resumes on the caller's executor with its value, which must not be
/// void (answer a Result<>). Work that has started cannot be stopped: cancelling the caller takes
/// effect after it returns, so what `work` refers to stays alive.
template <class Work>
asio::awaitable<std::invoke_result_t<Work>> offload(OffloadPool& pool, Work work) {
  using Value = std::invoke_result_t<Work>;
  auto start = [&pool](auto handler, Work todo) {
    auto home = asio::get_associated_executor(handler);
    auto keep_home = asio::make_work_guard(home);
    asio::post(pool.threads(), [handler = std::move(handler), todo = std::move(todo), home,
                                keep_home = std::move(keep_home)]() mutable {
      std::exception_ptr error;
      Value value{};
      try {
        value = todo();
      } catch (...) {
        error = std::current_exception();
      }
      asio::post(home, [handler = std::move(handler), error, value = std::move(value)]() mutable {
        std::move(handler)(error, std::move(value));
      });
      keep_home.reset();
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>,
                                          void(std::exception_ptr, Value)>(
      std::move(start), asio::use_awaitable, std::move(work));
}

}  // namespace fathom
