// TaskGroup: a nursery. Every concurrent task of Fathom is a child of one, and no child outlives
// join().
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <exception>
#include <list>

namespace fathom {

namespace asio = boost::asio;

/// Single-threaded: spawn, cancel and join run on `executor`, which also runs the children. The
/// first child that fails cancels its siblings; its exception leaves join(). A child that ends as
/// cancelled is no failure.
class TaskGroup {
 public:
  explicit TaskGroup(asio::any_io_executor executor);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `task`. Allowed until join() returns, also from inside a child.
  void spawn(asio::awaitable<void> task);

  /// Asks every child to unwind; they end later, join() waits for that. A child may do it, also
  /// before it has waited for anything. Runs on the executor: a cancellation signalled from
  /// elsewhere can reach a child of Boost 1.81 that is already gone.
  void cancel();

  /// Waits for all children. Cancelling the joiner cancels the children, waits for them, and
  /// unwinds as cancelled, whatever the children's own failures were.
  asio::awaitable<void> join();

  [[nodiscard]] std::size_t size() const { return children_.size(); }

 private:
  struct Child {
    asio::cancellation_signal signal;
    bool has_begun = false;
    bool is_unwanted = false;  ///< cancelled before it began: it never will
  };
  using Children = std::list<Child>;
  static asio::awaitable<void> run(Child& child, asio::awaitable<void> task);
  static void cancel(Child& child);
  void finished(Children::iterator child, std::exception_ptr error);

  asio::any_io_executor executor_;
  asio::steady_timer idle_;  ///< a condition variable: cancelled when the last child ends
  Children children_;
  std::exception_ptr first_error_;
  bool cancelled_ = false;
};

}  // namespace fathom
