// Mailbox<T>: a bounded queue between tasks of one thread.
#pragma once

#include "runtime/async/signal.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

namespace fathom {

/// Senders wait while `capacity` values are queued, so a slow receiver slows its senders and memory
/// stays bounded. Any number of senders, one receiver. Asio's experimental channel is not used: in
/// Boost 1.81 it drops what is queued when it is closed (found by the simulator under every third
/// seed).
template <class T>
class Mailbox {
 public:
  Mailbox(const asio::any_io_executor& executor, std::size_t capacity)
      : capacity_(capacity), room_(executor), news_(executor) {}

  /// False when the mailbox is full or closed; the value is lost then, so use it only for what may
  /// be dropped.
  bool try_send(T value) {
    if (closed_ || queue_.size() >= capacity_) return false;
    push(std::move(value));
    return true;
  }

  /// Waits for room. False when the mailbox is closed.
  asio::awaitable<bool> send(T value) {
    while (!closed_ && queue_.size() >= capacity_) co_await room_.wait();
    if (closed_) co_return false;
    push(std::move(value));
    co_return true;
  }

  /// Waits for a value. Nothing when the mailbox is closed and everything in it was received.
  asio::awaitable<std::optional<T>> receive() {
    while (!closed_ && queue_.empty()) co_await news_.wait();
    if (queue_.empty()) co_return std::nullopt;
    T value = std::move(queue_.front());
    queue_.pop_front();
    room_.notify_all();
    co_return std::move(value);
  }

  /// No more values go in; what is queued can still be received.
  void close() {
    closed_ = true;
    room_.notify_all();
    news_.notify_all();
  }

 private:
  void push(T value) {
    queue_.push_back(std::move(value));
    news_.notify_all();
  }

  std::size_t capacity_;
  std::deque<T> queue_;
  bool closed_ = false;
  Signal room_;
  Signal news_;
};

}  // namespace fathom
