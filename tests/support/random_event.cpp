#include "tests/support/random_event.hpp"

#include <array>
#include <string_view>

namespace fathom::test {
namespace {

std::string random_json_string(std::mt19937_64& random) {
  constexpr std::array<std::string_view, 12> kPieces = {
      "a",       "Z", " ",        "\\n", "\\\"",           "\\\\",
      "\\u0000", "ü", "｜DSML｜", "😀",  "\\ud83d\\ude00", "/"};
  std::string out = "\"";
  for (std::size_t n = random() % 8; n > 0; --n) out += kPieces[random() % kPieces.size()];
  return out + "\"";
}

std::string random_json_value(std::mt19937_64& random, int depth) {
  constexpr std::array<std::string_view, 10> kAtoms = {
      "0", "-1", "1.5e-7", "true", "false", "null", "18446744073709551615", "-0.0", "[]", "{}"};
  switch (random() % (depth > 0 ? 4 : 2)) {
    case 0:
      return std::string(kAtoms[random() % kAtoms.size()]);
    case 1:
      return random_json_string(random);
    case 2: {
      std::string out = "[" + random_json_value(random, depth - 1);
      for (std::size_t n = random() % 3; n > 0; --n)
        out += ", " + random_json_value(random, depth - 1);
      return out + "]";
    }
    default:
      return random_json_object(random, depth - 1);
  }
}

// Small numbers and the ends of the range are the interesting ones.
std::uint64_t random_number(std::mt19937_64& random, std::uint64_t low, std::uint64_t high) {
  switch (random() % 4) {
    case 0:
      return low;
    case 1:
      return high;
    default:
      return low + (random() >> (random() % 64)) % (high - low);
  }
}

}  // namespace

std::string random_json_object(std::mt19937_64& random, int depth) {
  std::string out = "{";
  for (std::size_t n = random() % 4; n > 0; --n) {
    if (out.size() > 1) out += random() % 2 ? "," : " ,\t";
    out += random_json_string(random) + ":" + random_json_value(random, depth);
  }
  return out + "}";
}

trace::Event random_event(std::mt19937_64& random) {
  constexpr std::array<std::string_view, 6> kTypes = {"run.started", "tool.finished", "model.delta",
                                                      "heartbeat",   "future.thing",  "test.case"};
  trace::Event event;
  for (auto& byte : event.run.value.bytes) byte = static_cast<std::uint8_t>(random());
  event.stream = random() % 2 ? "main" : "agent/" + std::to_string(random() % 100);
  event.what.type = kTypes[random() % kTypes.size()];
  event.durability = trace::durability_of(event.what.type).value_or(trace::Durability::durable);
  event.at.seq = random_number(random, 1, UINT64_MAX);
  if (event.durability == trace::Durability::ephemeral)
    event.at.sub = random_number(random, 1, UINT64_MAX);
  // Year 0 to 9999 in microseconds.
  event.ts = WallTime{std::chrono::sys_days{std::chrono::year{0} / 1 / 1}} +
             std::chrono::microseconds(random_number(random, 0, 315'569'519'999'999'999));
  event.mono_ns = static_cast<std::int64_t>(random_number(random, 0, INT64_MAX));
  if (random() % 2) event.what.span.value = random();
  if (random() % 2) event.what.parent.value = random();
  if (random() % 2) event.what.cause = random_number(random, 1, UINT64_MAX);
  event.what.data = random_json_object(random, 3);
  return event;
}

}  // namespace fathom::test
