#include "sandbox/egress/connection_pipe.hpp"

#include "tests/sandbox/egress/egress_harness.hpp"
#include "tests/sandbox/egress/policy_fixture.hpp"
#include "tests/support/catch.hpp"

#include <string>

using namespace fathom;
using namespace fathom::sandbox;
using namespace std::chrono_literals;
using test::allow_rule;
using test::EgressHarness;
using test::EgressSetup;
using test::RawClient;

namespace {

EgressSetup api() {
  EgressSetup setup;
  setup.hosts = {allow_rule("api", "api.test")};
  return setup;
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('!' + i * 7919 % 90);
  return out;
}

}  // namespace

TEST_CASE("each direction ends by itself", "[sandbox-egress]") {
  EgressHarness harness(api());
  auto [inside, outside] = harness.tunnel("api.test:443");
  inside.send("question");
  inside.shutdown_write();
  CHECK(harness.read_to_end(outside) == "question");
  CHECK(outside.ended());
  harness.settle();
  CHECK(harness.records.empty());
  outside.send("answer");
  outside.shutdown_write();
  CHECK(harness.read_to_end(inside) == "answer");
  CHECK(inside.ended());
  harness.settle();
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].reason == "listed");
}

TEST_CASE("bytes arrive whole and in order, both ways at once", "[sandbox-egress]") {
  EgressHarness harness(api());
  auto [inside, outside] = harness.tunnel("api.test:443");
  const std::string up = pattern(3'000'001);
  const std::string down = pattern(5'000'003);
  std::size_t sent_up = 0;
  std::size_t sent_down = 0;
  harness.run_until([&] {
    sent_up += inside.send(std::string_view(up).substr(sent_up));
    sent_down += outside.send(std::string_view(down).substr(sent_down));
    inside.receive();
    outside.receive();
    return inside.received().size() == down.size() && outside.received().size() == up.size();
  });
  CHECK((inside.received() == down));
  CHECK((outside.received() == up));
  inside.close();
  outside.close();
  harness.settle();
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].bytes_up == up.size());
  CHECK(harness.records[0].bytes_down == down.size());
}

TEST_CASE("a receiver that takes nothing holds its sender back, then both are closed",
          "[sandbox-egress]") {
  EgressHarness harness(api());
  auto [inside, outside] = harness.tunnel("api.test:443");
  const std::string much = pattern(1 << 20);
  std::size_t sent = 0;
  for (std::size_t more = 1; more != 0; sent += more) {
    more = 0;
    for (int i = 0; i < 20; ++i) {
      more += outside.send(much);
      harness.settle();
    }
    REQUIRE(sent < (1U << 30U));
  }
  // What is on its way is in the kernel's buffers, and one chunk in ours. The other direction runs.
  inside.send("still here");
  CHECK(harness.read(outside, 10) == "still here");
  harness.advance(10min);
  harness.settle();
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].reason == "closed: nothing was sent for too long");
  (void)harness.read_to_end(outside);
  CHECK(outside.was_reset());
}

TEST_CASE("a connection is idle only while neither side sends", "[sandbox-egress]") {
  EgressHarness harness(api());
  auto [inside, outside] = harness.tunnel("api.test:443");
  for (int i = 0; i < 3; ++i) {
    harness.advance(6min);
    (i % 2 == 0 ? inside : outside).send("x");
    harness.settle();
    CHECK(harness.records.empty());
  }
  harness.advance(9min);
  CHECK(harness.records.empty());
  harness.advance(1min);
  REQUIRE(harness.records.size() == 1);
  CHECK(harness.records[0].duration == 28min);
}

TEST_CASE("a reset on one side is a reset on the other", "[sandbox-egress]") {
  EgressHarness harness(api());
  for (const bool from_inside : {true, false}) {
    INFO(from_inside);
    harness.records.clear();
    auto [inside, outside] = harness.tunnel("api.test:443");
    (from_inside ? inside : outside).close_with_reset();
    RawClient& left = from_inside ? outside : inside;
    (void)harness.read_to_end(left);
    CHECK(left.was_reset());
    harness.settle();
    REQUIRE(harness.records.size() == 1);
    CHECK(harness.records[0].reason == "one side broke the connection off");
  }
}
