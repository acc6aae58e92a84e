#include "runtime/net/server_socket.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <string>

using namespace fathom::net;

namespace {

void receive(ReceiveBuffer& buffer, std::string_view bytes, std::size_t bytes_max) {
  while (!bytes.empty()) {
    const std::span<char> space = buffer.prepare(bytes_max);
    REQUIRE_FALSE(space.empty());
    const std::size_t count = std::min(space.size(), bytes.size());
    std::ranges::copy(bytes.substr(0, count), space.begin());
    buffer.commit(count);
    bytes.remove_prefix(count);
  }
}

}  // namespace

TEST_CASE("received bytes stay in one piece while they come and go", "[runtime]") {
  ReceiveBuffer buffer;
  CHECK(buffer.empty());
  std::string expected;
  for (int round = 0; round < 200; ++round) {
    const std::string bytes(static_cast<std::size_t>(round * 7 % 300),
                            static_cast<char>('a' + round % 26));
    receive(buffer, bytes, 100'000);
    expected += bytes;
    const std::size_t used =
        std::min<std::size_t>(expected.size(), static_cast<std::size_t>(round % 140));
    buffer.consume(used);
    expected.erase(0, used);
    REQUIRE(buffer.view() == expected);
  }
}

TEST_CASE("a receive buffer holds no more than it may", "[runtime]") {
  ReceiveBuffer buffer;
  receive(buffer, std::string(10'000, 'x'), 10'000);
  CHECK(buffer.prepare(10'000).empty());
  buffer.consume(1);
  CHECK(buffer.prepare(10'000).size() == 1);
  CHECK(buffer.view().size() == 9'999);
}
