// Runs one coroutine to its end on a simulator of its own; what it throws leaves the call.
#pragma once

#include "runtime/async/simulator.hpp"
#include "tests/support/catch.hpp"

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace fathom::test {

/// Runs `body(Simulator&)`, which returns an awaitable<void>, under `count` different schedules.
/// The first seed is $FATHOM_SEED (default 1; 0 draws one and prints it), the number of schedules
/// $FATHOM_SEEDS when that is set. A failure names its seed: FATHOM_SEED=N FATHOM_SEEDS=1 repeats
/// it.
template <class Body>
void for_each_seed(std::uint64_t count, Body body) {
  const auto number = [](const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
  };
  std::uint64_t first = number("FATHOM_SEED", 1);
  if (first == 0) {
    first = std::random_device{}();
    std::cout << "FATHOM_SEED=" << first << '\n';
  }
  count = number("FATHOM_SEEDS", count);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    INFO("repeat with FATHOM_SEED=" << seed << " FATHOM_SEEDS=1");
    Simulator simulator(seed);
    simulator.run(body(simulator));
  }
}

/// One schedule, for tests whose outcome does not depend on the order.
template <class Body>
void run_coro(Body body) {
  Simulator simulator(1);
  simulator.run(body(simulator));
}

}  // namespace fathom::test
