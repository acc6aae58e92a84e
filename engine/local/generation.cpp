#include "engine/local/generation.hpp"

#include <utility>

namespace fathom::engine {

void EngineInbox::post(Order order) {
  {
    const std::lock_guard lock(mutex_);
    orders_.push_back(std::move(order));
  }
  posted_.notify_one();
}

std::vector<EngineInbox::Order> EngineInbox::take(bool busy) {
  std::unique_lock lock(mutex_);
  if (!busy) posted_.wait(lock, [this] { return !orders_.empty(); });
  return std::exchange(orders_, {});
}

void EventQueue::push(GenerationEvent event) {
  const bool last = event.kind == GenerationEvent::Kind::finished;
  {
    const std::lock_guard lock(mutex_);
    const bool progress = event.kind == GenerationEvent::Kind::prefill;
    if (progress && !events_.empty() && events_.back().kind == GenerationEvent::Kind::prefill)
      events_.back() = std::move(event);
    else
      events_.push_back(std::move(event));
  }
  changed_.notify_all();
  if (wake_) wake_();
  if (!last) return;
  // Only now: a reader that has read the end may take apart what `wake` refers to.
  const std::lock_guard lock(mutex_);
  released_ = true;
  changed_.notify_all();
}

std::optional<GenerationEvent> EventQueue::pop(bool wait) {
  std::unique_lock lock(mutex_);
  if (wait) changed_.wait(lock, [this] { return !events_.empty(); });
  if (events_.empty()) return std::nullopt;
  GenerationEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void EventQueue::wait_until_released() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return released_; });
}

bool EventQueue::full() {
  const std::lock_guard lock(mutex_);
  if (events_.size() >= kEventsMax) full_ = true;
  return full_;
}

bool EventQueue::take_room() {
  const std::lock_guard lock(mutex_);
  return events_.size() <= kEventsMax / 2 && std::exchange(full_, false);
}

Generation::~Generation() {
  if (!read_all_) cancel();
  events_->wait_until_released();
}

void Generation::cancel() {
  if (std::exchange(cancelled_, true)) return;
  inbox_->post({.kind = EngineInbox::Order::Kind::cancel, .events = events_, .request = {}});
}

std::optional<GenerationEvent> Generation::read(bool wait) {
  if (read_all_) return std::nullopt;
  auto event = events_->pop(wait);
  if (!event) return std::nullopt;
  read_all_ = event->kind == GenerationEvent::Kind::finished;
  if (events_->take_room())
    inbox_->post({.kind = EngineInbox::Order::Kind::look_again, .events = {}, .request = {}});
  return event;
}

}  // namespace fathom::engine
