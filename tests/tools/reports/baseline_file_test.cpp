#include "tools/reports/baseline_file.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>

namespace fathom::tools {
namespace {

// Work leaves for threads of the pool, so this runs on an io_context.
template <class Body>
void run(Body body) {
  asio::io_context io{1};
  std::exception_ptr thrown;
  asio::co_spawn(io, body(), [&](std::exception_ptr error) { thrown = std::move(error); });
  io.run();
  if (thrown) std::rethrow_exception(thrown);
}

TEST_CASE("the next process finds what the last one kept, with its run", "[tools]") {
  const test::TempDir dir;
  OffloadPool pool;
  run([&]() -> asio::awaitable<void> {
    BaselineFile first(pool, dir / "b.json", {"RUN-1", "/repo"});
    CHECK_FALSE(co_await first.last());
    CHECK(co_await first.keep({"make", "test"}, {{"a", CaseStatus::failed}}));
    BaselineFile second(pool, dir / "b.json", {"RUN-2", "/repo"});
    const auto kept = co_await second.last();
    REQUIRE(kept);
    CHECK(*kept == KeptBaseline{"RUN-1", "/repo", {"make", "test"}, {{"a", CaseStatus::failed}}});
  });
}

TEST_CASE("a file of another workspace, or a damaged one, is as none", "[tools]") {
  const test::TempDir dir;
  OffloadPool pool;
  run([&]() -> asio::awaitable<void> {
    BaselineFile other(pool, dir / "b.json", {"RUN-1", "/other"});
    CHECK(co_await other.keep({"make"}, {}));
    BaselineFile mine(pool, dir / "b.json", {"RUN-2", "/repo"});
    CHECK_FALSE(co_await mine.last());
    dir.write("b.json", R"({"version":1,"run":)");
    CHECK_FALSE(co_await mine.last());
  });
}

TEST_CASE("a place that cannot be written is an error that names it", "[tools]") {
  const test::TempDir dir;
  OffloadPool pool;
  run([&]() -> asio::awaitable<void> {
    BaselineFile file(pool, dir / "nowhere/b.json", {"RUN-1", "/repo"});
    const auto kept = co_await file.keep({"make"}, {});
    REQUIRE_FALSE(kept);
    CHECK(kept.error().message.find("nowhere") != std::string::npos);
  });
}

}  // namespace
}  // namespace fathom::tools
