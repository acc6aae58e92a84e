#include "engine/cpu/thread_pool.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <vector>

using namespace fathom::engine;

TEST_CASE("a pool runs every index once, whatever the grain", "[engine]") {
  for (unsigned threads : {1u, 2u, 3u, 8u}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    for (const std::int64_t grain : {1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> seen(1000);
      std::atomic<bool> within = true;  // Catch's own checks belong to one thread
      pool.parallel_for(1000, grain, [&](std::int64_t begin, std::int64_t end) {
        if (end - begin > grain) within = false;
        for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
      });
      CHECK(within);
      CHECK(std::ranges::all_of(seen, [](const auto& count) { return count == 1; }));
    }
  }
}

TEST_CASE("an empty range runs nothing", "[engine]") {
  ThreadPool pool(2);
  pool.parallel_for(0, 4, [](std::int64_t, std::int64_t) { FAIL("called"); });
}

TEST_CASE("a call inside a body is done by its thread", "[engine]") {
  ThreadPool pool(4);
  std::atomic<int> calls = 0;
  pool.parallel_for(16, 1, [&](std::int64_t, std::int64_t) {
    const std::thread::id self = std::this_thread::get_id();
    pool.parallel_for(8, 1, [&](std::int64_t, std::int64_t) {
      if (std::this_thread::get_id() == self) ++calls;
    });
  });
  CHECK(calls == 16 * 8);
}

TEST_CASE("two threads may call one pool at once", "[engine]") {
  ThreadPool pool(3);
  std::atomic<std::int64_t> total = 0;
  const auto add = [&] {
    for (int round = 0; round < 200; ++round)
      pool.parallel_for(100, 7,
                        [&](std::int64_t begin, std::int64_t end) { total += end - begin; });
  };
  {
    const std::jthread other(add);
    add();
  }
  CHECK(total == 2 * 200 * 100);
}

TEST_CASE("many short jobs one after the other keep their results apart", "[engine]") {
  ThreadPool pool(4);
  for (int round = 0; round < 5000; ++round) {
    std::vector<int> out(static_cast<std::size_t>(1 + round % 40), -1);
    pool.parallel_for(static_cast<std::int64_t>(out.size()), 1 + round % 3,
                      [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t i = begin; i < end; ++i)
                          out[static_cast<std::size_t>(i)] = round;
                      });
    REQUIRE(std::ranges::all_of(out, [&](int value) { return value == round; }));
  }
}

TEST_CASE("the default number of threads is usable and bounded", "[engine]") {
  CHECK(usable_cores() >= 1);
  CHECK(usable_cores() <= ThreadPool::kThreadsMax);
}
