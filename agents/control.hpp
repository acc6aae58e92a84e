// Control: what people and programs say to a turn while it runs.
#pragma once

#include "runtime/async/signal.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace fathom::agents {

class Control {
 public:
  static constexpr std::size_t kSteersMax = 64;              ///< that wait for a boundary
  static constexpr std::size_t kSteerBytesMax = 256 * 1024;  ///< of one

  struct Steer {
    /// The sender's. A key that was seen before is the same message: it is said once, and every
    /// sender has the receipt of that once.
    std::string key;
    std::string text;
    /// Called with the seq of the event that delivered it; may be empty.
    std::function<void(std::uint64_t seq)> receipt;
  };

  explicit Control(const asio::any_io_executor& executor) : changed_(executor) {}

  /// A message for the next boundary. False when it is empty or too long, or too many wait.
  [[nodiscard]] bool steer(Steer steer);
  /// Stops what is under way: the finished part of the sample stays, calls that have not run get no
  /// chance to. A turn with a message waiting goes on with it, else it ends as cancelled.
  void interrupt();

  [[nodiscard]] bool is_interrupted() const { return interrupted_; }
  [[nodiscard]] bool has_steers() const { return !steers_.empty(); }
  [[nodiscard]] std::vector<Steer> take_steers() { return std::exchange(steers_, {}); }
  /// The one that has waited longest. It waits on until it is in the journal, and is taken then:
  /// whoever is cancelled while writing it loses nothing.
  [[nodiscard]] const Steer& first_steer() const { return steers_.front(); }
  [[nodiscard]] Steer take_first_steer() {
    Steer first = std::move(steers_.front());
    steers_.erase(steers_.begin());
    return first;
  }
  /// The turn has come to rest after an interruption.
  void clear_interrupt() { interrupted_ = false; }
  /// Returns after the next interrupt() or wake(): look again then.
  asio::awaitable<void> wait() { return changed_.wait(); }
  void wake() { changed_.notify_all(); }

 private:
  std::vector<Steer> steers_;
  bool interrupted_ = false;
  Signal changed_;
};

}  // namespace fathom::agents
