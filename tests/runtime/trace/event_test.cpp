#include "runtime/trace/event.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::trace;

TEST_CASE("the family of a type decides whether it is durable", "[runtime]") {
  CHECK(durability_of("run.started") == Durability::durable);
  CHECK(durability_of("tool.finished") == Durability::durable);
  CHECK(durability_of("tool.output") == Durability::ephemeral);
  CHECK(durability_of("model.delta") == Durability::ephemeral);
  CHECK(durability_of("model.request") == Durability::durable);
  CHECK(durability_of("heartbeat") == Durability::ephemeral);
  CHECK(durability_of("prefill.progress") == Durability::ephemeral);
  CHECK(durability_of("model.surprise") == std::nullopt);
  CHECK(durability_of("run.") == std::nullopt);
}

TEST_CASE("types and stream names have one narrow form, so they need no escaping", "[runtime]") {
  for (const auto* good : {"run.started", "a.b.c", "kv.evicted2", "heartbeat"})
    CHECK(is_event_type(good));
  for (const auto* bad : {"", ".", "run", "run.", ".run", "a..b", "Run.x", "run.x\"", "run x"}) {
    INFO(bad);
    CHECK_FALSE(is_event_type(bad));
  }
  CHECK_FALSE(is_event_type("a." + std::string(kEventTypeBytesMax, 'a')));
  CHECK(is_stream_name("agent/1:main-x.Y_z"));
  for (const auto* bad : {"", "a b", "a\"b", "ü"}) CHECK_FALSE(is_stream_name(bad));
  CHECK_FALSE(is_stream_name(std::string(kStreamNameBytesMax + 1, 'a')));
}
