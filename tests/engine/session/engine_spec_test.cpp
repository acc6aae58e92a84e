#include "engine/session/engine_spec.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using engine::EngineSpec;
using engine::parse_engine_spec;

TEST_CASE("every way to name an engine reads back as it was written", "[engine]") {
  for (const std::string text :
       {"local:/models/v4#flash", "demo", "openai:http://127.0.0.1:8000/v1#deepseek-v4-flash",
        "openai:http://127.0.0.1:8000/v1", "anthropic:https://api.deepseek.com/anthropic#m",
        "replay:fix.jsonl", "replay:fix.jsonl#loose"}) {
    CAPTURE(text);
    const auto spec = parse_engine_spec(text);
    REQUIRE(spec);
    CHECK(spec->to_string() == text);
  }
  CHECK(parse_engine_spec("local:/models/v4#flash")->place == "/models/v4#flash");
  CHECK(parse_engine_spec("openai:http://h/v1#m")->model == "m");
}

TEST_CASE("the name of a hosted model stands for its vendor", "[engine]") {
  const auto spec = parse_engine_spec("deepseek-v4-flash");
  REQUIRE(spec);
  CHECK(*spec ==
        EngineSpec{EngineSpec::Kind::openai, "https://api.deepseek.com", "deepseek-v4-flash"});
}

TEST_CASE("an engine that cannot be meant is refused with what can", "[engine]") {
  const auto message = [](std::string_view text) {
    const auto spec = parse_engine_spec(text);
    REQUIRE_FALSE(spec);
    CHECK(spec.error().code == ErrorCode::usage);
    return spec.error().message;
  };
  CHECK(message("opnai:http://h") ==
        "engine 'opnai:http://h': no kind 'opnai' (did you mean 'openai'?)");
  CHECK(message("gpt") ==
        "engine 'gpt': write local:DIR, demo, openai:URL[#MODEL], anthropic:URL[#MODEL] or "
        "replay:FILE");
  CHECK(message("openai").find("write local:DIR") != std::string::npos);
  CHECK(message("replay:").find("write local:DIR") != std::string::npos);
  CHECK(message("demo:x") == "engine 'demo:x': 'demo' takes nothing behind it");
  CHECK(message("replay:f#lose") == "engine 'replay:f#lose': behind '#' only 'loose' may stand");
  CHECK(message(std::string(5000, 'x')).ends_with("': too long"));
}

TEST_CASE("a password in an engine's address is refused and not repeated", "[engine]") {
  const auto spec = parse_engine_spec("openai:https://me:hunter2@example.com/v1");
  REQUIRE_FALSE(spec);
  CHECK(spec.error().message.find("hunter2") == std::string::npos);
}
