#include "runtime/async/offload.hpp"

#include "runtime/base/result.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <stdexcept>
#include <thread>

using namespace fathom;

namespace {

void run(asio::awaitable<void> task) {
  asio::io_context io{1};
  std::exception_ptr error;
  asio::co_spawn(io, std::move(task), [&](std::exception_ptr e) { error = std::move(e); });
  io.run();
  if (error) std::rethrow_exception(error);
}

}  // namespace

TEST_CASE("offloaded work runs on another thread and its answer comes back to ours", "[runtime]") {
  OffloadPool pool;
  const auto task = [&]() -> asio::awaitable<void> {
    const auto home = std::this_thread::get_id();
    auto there = [] { return std::this_thread::get_id(); };
    const auto away = co_await offload(pool, there);
    CHECK(away != home);
    CHECK(std::this_thread::get_id() == home);
  };
  run(task());
}

TEST_CASE("what offloaded work throws or fails with arrives at the caller", "[runtime]") {
  OffloadPool pool;
  const auto task = [&]() -> asio::awaitable<void> {
    auto failing = []() -> Result<int> { return fail(ErrorCode::io, "disk gone"); };
    CHECK((co_await offload(pool, failing)).error().message == "disk gone");
    auto throwing = []() -> Result<int> { throw std::runtime_error("bug"); };
    bool caught = false;
    try {
      (void)co_await offload(pool, throwing);
    } catch (const std::runtime_error&) {
      caught = true;
    }
    CHECK(caught);
  };
  run(task());
}

TEST_CASE("a hundred pieces of work at once all come home", "[runtime]") {
  OffloadPool pool;
  asio::io_context io{1};
  int sum = 0;
  const auto task = [&](int value) -> asio::awaitable<void> {
    auto work = [value] { return value; };
    sum += co_await offload(pool, work);
  };
  for (int i = 1; i <= 100; ++i) asio::co_spawn(io, task(i), [](std::exception_ptr) {});
  io.run();
  CHECK(sum == 5050);
}
