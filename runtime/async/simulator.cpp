#include "runtime/async/simulator.hpp"

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace fathom {

Simulator::~Simulator() {
  // Asio destroys a suspended coroutine by posting the destruction to its executor, that is, into
  // ready_, and the coroutine's timers need the context alive: so first what was posted, then what
  // waits, then what that posted.
  drop_ready();
  io_.shutdown();
  drop_ready();
}

void Simulator::drop_ready() {
  while (!ready_.empty()) std::exchange(ready_, {}).clear();
}

asio::any_io_executor Simulator::executor() { return Executor(*this); }

bool Simulator::step() {
  // Timers that were cancelled or expired complete in here; their handlers land in ready_.
  io_.restart();
  io_.poll();
  if (ready_.empty()) return false;
  std::uniform_int_distribution<std::size_t> pick(0, ready_.size() - 1);
  std::swap(ready_[pick(random_)], ready_.back());
  auto task = std::move(ready_.back());
  ready_.pop_back();
  struct Running {
    bool& flag;
    explicit Running(bool& f) : flag(f) { flag = true; }
    ~Running() { flag = false; }
  } const running(running_);
  task();
  return true;
}

std::uint64_t Simulator::run_steps(std::uint64_t steps) {
  std::uint64_t taken = 0;
  while (taken < steps && step()) ++taken;
  return taken;
}

std::uint64_t Simulator::run_until_idle() {
  std::uint64_t steps = 0;
  do {
    while (step()) {
      if (++steps > kStepsMax)
        throw std::runtime_error("simulation with seed " + std::to_string(seed_) +
                                 " does not end: " + std::to_string(kStepsMax) + " steps taken");
    }
  } while (clock_.jump());
  return steps;
}

void Simulator::run(asio::awaitable<void> task) {
  bool ended = false;
  std::exception_ptr error;
  asio::co_spawn(executor(), std::move(task), [&](std::exception_ptr e) {
    ended = true;
    error = std::move(e);
  });
  run_until_idle();
  if (error) std::rethrow_exception(error);
  if (!ended)
    throw std::runtime_error("simulation with seed " + std::to_string(seed_) +
                             " stands still: the task waits for something that never comes");
}

}  // namespace fathom
