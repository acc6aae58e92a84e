// The reader's end of a request that the engine's thread works on.
#pragma once

#include "engine/local/scheduler.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace fathom::engine {

/// What the engine's thread is asked to do. Any thread may post. Short without a bound of its own:
/// each generation posts its beginning, one cancellation, and once for each time it was on hold.
class EngineInbox {
 public:
  struct Order;

  void post(Order order);
  /// Waits for orders, unless `busy`; what was posted, in order.
  std::vector<Order> take(bool busy);

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::vector<Order> orders_;
};

/// Events of one request on their way to its reader: one writer, one reader.
class EventQueue {
 public:
  /// When so many wait the request is put on hold, until half of them are read.
  static constexpr std::size_t kEventsMax = 256;

  explicit EventQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// Progress that nobody has read yet is replaced by newer progress. Calls `wake` afterwards, for
  /// the last time behind `finished`.
  void push(GenerationEvent event);
  std::optional<GenerationEvent> pop(bool wait);
  /// The engine is done with the request, its KV and its functions, `wake` too.
  void wait_until_released();

  /// Whether the writer should stop; once it should, until half is read.
  bool full();
  /// Whether the reader has to say that there is room again.
  bool take_room();

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<GenerationEvent> events_;
  bool full_ = false;
  bool released_ = false;
};

class Generation {
 public:
  /// Made by LocalEngine::generate.
  Generation(std::shared_ptr<EngineInbox> inbox, std::shared_ptr<EventQueue> events)
      : inbox_(std::move(inbox)), events_(std::move(events)) {}
  /// Cancels, and returns when the engine has let go of the KV: after the step in hand at the
  /// latest.
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  /// The next event, waiting for it; none behind `finished`.
  std::optional<GenerationEvent> next() { return read(true); }
  /// The next event if it is there.
  std::optional<GenerationEvent> try_next() { return read(false); }
  /// The request ends with the next step. `finished` still comes.
  void cancel();

 private:
  std::optional<GenerationEvent> read(bool wait);

  std::shared_ptr<EngineInbox> inbox_;
  std::shared_ptr<EventQueue> events_;
  bool cancelled_ = false;
  bool read_all_ = false;
};

struct EngineInbox::Order {
  enum class Kind : std::uint8_t { add, cancel, look_again, stop };
  Kind kind{};
  std::shared_ptr<EventQueue> events;        ///< add, cancel: whose
  std::optional<GenerationRequest> request;  ///< add
};

}  // namespace fathom::engine
