#include "runtime/net/connection_pool.hpp"

#include "tests/support/catch.hpp"

#include <vector>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;

namespace {

// Tells the test when it is closed; never read from or written to.
class NamedStream final : public ByteStream {
 public:
  NamedStream(int name, std::vector<int>& closed, bool quiet = true)
      : name_(name), closed_(closed), quiet_(quiet) {}
  ~NamedStream() override { closed_.push_back(name_); }

  asio::awaitable<Result<std::size_t>> read_some(std::span<char>) override {
    co_return std::size_t{0};
  }
  asio::awaitable<Result<std::size_t>> write_some(std::string_view bytes) override {
    co_return bytes.size();
  }
  [[nodiscard]] bool is_quiet() override { return quiet_; }
  [[nodiscard]] int name() const { return name_; }

 private:
  int name_;
  std::vector<int>& closed_;
  bool quiet_;
};

const Origin kA{Scheme::https, "a.example", 443};
const Origin kB{Scheme::https, "b.example", 443};

struct Fixture {
  std::vector<int> closed;
  ManualClock clock;
  ConnectionPool pool{clock, {.idle_max = 3, .idle_per_origin_max = 2, .idle_timeout = 60s}};

  void put(const Origin& origin, int name, bool quiet = true) {
    pool.put(origin, std::make_unique<NamedStream>(name, closed, quiet));
  }
  // The name of the connection taken, 0 for none.
  int take(const Origin& origin) {
    const std::unique_ptr<ByteStream> taken = pool.take(origin);
    return taken ? dynamic_cast<NamedStream&>(*taken).name() : 0;
  }
};

}  // namespace

TEST_CASE("a connection serves only its own origin, the last used first", "[runtime]") {
  Fixture f;
  f.put(kA, 1);
  f.put(kA, 2);
  CHECK(f.take(kB) == 0);
  CHECK(f.take({Scheme::http, "a.example", 443}) == 0);
  CHECK(f.take(kA) == 2);
  CHECK(f.take(kA) == 1);
  CHECK(f.take(kA) == 0);
}

TEST_CASE("the oldest connection makes room, of the same origin first", "[runtime]") {
  Fixture f;
  f.put(kB, 1);
  f.put(kA, 2);
  f.put(kA, 3);
  f.put(kA, 4);
  CHECK(f.closed == std::vector{2});
  f.put(kB, 5);
  CHECK(f.closed == std::vector{2, 1});
  CHECK(f.pool.size() == 3);
}

TEST_CASE("a connection idle for too long is closed, also without being asked for", "[runtime]") {
  Fixture f;
  f.put(kA, 1);
  f.clock.advance(59s);
  f.put(kB, 2);
  CHECK(f.closed.empty());
  f.clock.advance(1s);
  CHECK(f.take(kB) == 2);
  CHECK(f.closed == std::vector{1, 2});
}

TEST_CASE("a connection whose peer spoke out of turn is closed instead of used", "[runtime]") {
  Fixture f;
  f.put(kA, 1);
  f.put(kA, 2, false);
  CHECK(f.take(kA) == 1);
  CHECK(f.closed == std::vector{2, 1});
}

TEST_CASE("a pool without room keeps nothing", "[runtime]") {
  std::vector<int> closed;
  ManualClock clock;
  ConnectionPool pool(clock, {.idle_max = 0});
  pool.put(kA, std::make_unique<NamedStream>(1, closed));
  CHECK(closed == std::vector{1});
  CHECK(pool.size() == 0);
}
