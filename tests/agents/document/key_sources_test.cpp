#include "agents/document/key_sources.hpp"

#include "tests/support/catch.hpp"

namespace fathom::agents {
namespace {

std::string variable(const char* name) {
  return std::string_view(name) == "HOME" ? "/home/ann" : std::string(name) + "-value";
}

engine::KeySources sources(const std::string& keys, std::string_view spec) {
  const auto config =
      parse_user_config("apiVersion: fathom/v1\nkind: Config\nkeys: " + keys + "\n", "config");
  return key_sources(*engine::parse_engine_spec(spec), *config, variable);
}

TEST_CASE("the key of a host comes from where the config says", "[agents]") {
  const std::string keys =
      "{a.test: {env: WORK}, \"b.test:8443\": {file: ~/b.key}, c.test: {command: [pass, show, c]}}";
  const auto from_env = sources(keys, "openai:https://a.test/v1");
  CHECK(from_env.env("FATHOM_API_KEY") == "WORK-value");
  CHECK(from_env.env("OPENAI_API_KEY").empty());
  CHECK(sources(keys, "openai:https://b.test:8443/v1").file == "/home/ann/b.key");
  CHECK(sources(keys, "openai:https://b.test/v1").file.empty());
  const auto from_command = sources(keys, "anthropic:https://c.test");
  CHECK(from_command.command == std::vector<std::string>{"pass", "show", "c"});
  CHECK(from_command.key_variables == std::vector<std::string>{"WORK"});
  const auto plain = sources(keys, "openai:https://d.test/v1");
  CHECK(plain.env("OPENAI_API_KEY") == "OPENAI_API_KEY-value");
  CHECK(plain.command.empty());
}

}  // namespace
}  // namespace fathom::agents
