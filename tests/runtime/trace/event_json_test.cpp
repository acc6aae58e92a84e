#include "runtime/trace/event_json.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/random_event.hpp"

#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <utility>
#include <vector>

using namespace fathom;
using namespace fathom::trace;

namespace {

Event sample() {
  Event event;
  event.run = RunId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").value();
  event.stream = "main";
  event.at.seq = 7;
  event.ts = std::chrono::sys_days{std::chrono::year{2026} / 11 / 24} + std::chrono::hours(12);
  event.mono_ns = 99;
  event.what = {"tool.started", SpanId{0xf0}, SpanId{}, 6, R"({"name":"bash"})"};
  return event;
}

std::string encode(const Event& event) {
  std::string line;
  REQUIRE(EventCodec().append(line, event).has_value());
  return line;
}

std::string without_sum(std::string line) {
  line.resize(line.rfind(",\"xxh3\""));
  return line + "}";
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("the encoding is the documented one", "[runtime]") {
  CHECK(encode(sample()).substr(0, encode(sample()).rfind(",\"xxh3\"")) ==
        R"({"v":1,"run":"01ARZ3NDEKTSV4RRFFQ69G5FAV","stream":"main","seq":7,)"
        R"("ts":"2026-11-24T12:00:00.000000Z","mono_ns":99,"type":"tool.started",)"
        R"("span":"00000000000000f0","cause":6,"durability":"durable","data":{"name":"bash"})");
}

TEST_CASE("any event survives its line, and the line is JSON to others too", "[runtime]") {
  std::mt19937_64 random(1);
  EventCodec codec;
  for (int i = 0; i < 20'000; ++i) {
    const Event event = test::random_event(random);
    std::string line;
    const auto appended = codec.append(line, event);
    if (!appended) FAIL(appended.error().message << " for " << event.what.data);
    REQUIRE(line.ends_with('\n'));
    REQUIRE(line.find('\n') == line.size() - 1);
    line.pop_back();
    const auto decoded = codec.decode(line);
    if (!decoded) FAIL(decoded.error().message << ": " << line);
    if (*decoded != event) FAIL(line);
    // Without its checksum the line goes the slow, fully checked way and means the same.
    const auto unsummed = codec.decode(without_sum(line));
    if (!unsummed) FAIL(unsummed.error().message << ": " << line);
    if (*unsummed != event) FAIL(line);
    if (i % 20 == 0) {
      const auto json = nlohmann::json::parse(line);
      CHECK(json.at("seq").get<std::uint64_t>() == event.at.seq);
      CHECK(json.at("data") == nlohmann::json::parse(event.what.data));
    }
  }
}

TEST_CASE("every single flipped bit and every cut of a line is noticed", "[runtime]") {
  std::string line = encode(sample());
  line.pop_back();
  EventCodec codec;
  for (std::size_t i = 0; i < line.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = line;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      if (codec.decode(damaged)) FAIL("accepted: " << damaged);
    }
    if (codec.decode(std::string_view(line).substr(0, i))) FAIL("accepted a cut at " << i);
  }
}

TEST_CASE("lines that are no event are refused with the key and the reason", "[runtime]") {
  const std::string good = without_sum(encode(sample()));
  EventCodec codec;
  REQUIRE(codec.decode(good).has_value());
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "event field '{'"},
      {"[]", "event field '{'"},
      {"{}", "event field 'v': missing"},
      {good + "x", "event field '{'"},
      {good + "{}", "event field"},
      {replaced(good, "\"v\":1", "\"v\":2"), "written by a newer fathom"},
      {replaced(good, "\"seq\":7", "\"seq\":0"), "event field 'seq': counted from 1"},
      {replaced(good, "\"seq\":7", "\"seq\":-7"), "event field 'seq'"},
      {replaced(good, "\"seq\":7", "\"seq\":7.5"), "event field 'seq'"},
      {replaced(good, "\"seq\":7", "\"seq\":7,\"seq\":7"), "event field 'seq': given twice"},
      {replaced(good, "\"seq\":7", "\"seq\":7,\"sub\":1"),
       "event field 'sub': belongs to ephemeral"},
      {replaced(good, "\"seq\":7,", ""), "event field 'seq': missing"},
      {replaced(good, "\"seq\"", "\"sec\""), "event field 'sec': unknown key"},
      {replaced(good, "01ARZ", "01ARU"), "Crockford"},
      {replaced(good, "2026-11-24", "2026-11-31"), "event field 'ts'"},
      {replaced(good, "T12:", "T24:"), "event field 'ts'"},
      {replaced(good, "00f0", "00F0"), "event field 'span': not 16 hexadecimal digits"},
      {replaced(good, "tool.started", "tool"), "event field 'type'"},
      {replaced(good, "tool.started", "tool.output"), "'tool.output' is always ephemeral"},
      {replaced(good, "durable", "maybe"), "neither 'durable' nor 'ephemeral'"},
      {replaced(good, "{\"name\":\"bash\"}", "{\n}"), "event field '{': not on one line"},
      {replaced(good, "{\"name\":\"bash\"}", "[]"), "event field 'data': not an object"},
      {replaced(good, "{\"name\":\"bash\"}", "{\"name\":tru}"), "event field 'data'"},
      {replaced(good, "{\"name\":\"bash\"}", "{\"name\":\"\xff\"}"), "UTF-8"},
      {replaced(good, "{\"name\":\"bash\"}", "{\"name\":\"\\x\"}"), "event field 'data'"},
      {std::string(kEventBytesMax, '{'), "larger than 64 KiB"},
  };
  for (const auto& [line, why] : cases) {
    INFO(line.substr(0, 300));
    const auto decoded = codec.decode(line);
    REQUIRE_FALSE(decoded.has_value());
    INFO(decoded.error().message);
    CHECK(decoded.error().message.find(why) != std::string::npos);
  }
}

TEST_CASE("a right checksum does not make wrong data right", "[runtime]") {
  const std::string good = without_sum(encode(sample()));
  for (const auto* data :
       {"{\"a\":tru}", "{\"a\" 1}", "{\"a\":1,,}", "{\"a\":\"\\x\"}", "{\"a\":01}"}) {
    std::string line = replaced(good, "{\"name\":\"bash\"}", data);
    line.pop_back();
    const std::string sum = to_string(SpanId{XXH3_64bits(line.data(), line.size())});
    line += ",\"xxh3\":\"" + sum + "\"}";
    INFO(line);
    const auto decoded = EventCodec().decode(line);
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().message.starts_with("event field 'data'"));
  }
}

TEST_CASE("what a reader would refuse is never written", "[runtime]") {
  EventCodec codec;
  std::string out = "kept";
  const auto refuse = [&](auto change) {
    Event event = sample();
    change(event);
    const auto result = codec.append(out, event);
    CHECK_FALSE(result.has_value());
    CHECK(out == "kept");
    return result.has_value() ? Error{} : result.error();
  };
  refuse([](Event& e) { e.what.data = "[]"; });
  refuse([](Event& e) { e.what.data = "{} {}"; });
  refuse([](Event& e) { e.what.data = "{\n}"; });
  refuse([](Event& e) { e.what.data = "{\"a\":\"\xc0\"}"; });
  refuse([](Event& e) { e.what.data = "{\"a\":01}"; });
  refuse([](Event& e) { e.what.data.clear(); });
  refuse([](Event& e) { e.what.type = "Tool"; });
  refuse([](Event& e) { e.stream = "a b"; });
  refuse([](Event& e) { e.mono_ns = -1; });
  refuse([](Event& e) { e.what.data = std::string(70, '[') + std::string(70, ']'); });
  const Error large = refuse(
      [](Event& e) { e.what.data = "{\"a\":\"" + std::string(kEventBytesMax, 'x') + "\"}"; });
  CHECK(large.code == ErrorCode::too_large);
  CHECK(large.message.find("store the body as a blob") != std::string::npos);
}

TEST_CASE("a type of a newer version passes through", "[runtime]") {
  const std::string line = replaced(without_sum(encode(sample())), "tool.started", "future.thing");
  CHECK(EventCodec().decode(line).value().what.type == "future.thing");
}
