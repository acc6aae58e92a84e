#include "engine/remote/credentials.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>

#include <map>
#include <type_traits>

using namespace fathom;
using namespace fathom::engine;

namespace {

constexpr const char* kKey = "sk-test-0123456789";

GetEnv env_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::string {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  };
}

Endpoint at(const std::string& url, EngineSpec::Kind kind = EngineSpec::Kind::openai) {
  return find_endpoint({kind, url, ""}).value();
}

Result<Secret> find(const std::string& url, std::map<std::string, std::string> variables) {
  return find_key(at(url), {env_of(std::move(variables)), {}, {}, {}});
}

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };

}  // namespace

TEST_CASE("a vendor's key goes to the vendor's hosts only", "[engine]") {
  const std::map<std::string, std::string> all = {{"DEEPSEEK_API_KEY", "deepseek-key"},
                                                  {"OPENAI_API_KEY", "openai-key"},
                                                  {"ANTHROPIC_API_KEY", "anthropic-key"}};
  CHECK(find("https://api.deepseek.com", all)->reveal() == "deepseek-key");
  CHECK(find("https://api.openai.com/v1", all)->reveal() == "openai-key");
  CHECK(find("https://api.anthropic.com", all)->reveal() == "anthropic-key");
  for (const std::string url :
       {"https://example.com/v1", "http://127.0.0.1:8000/v1", "https://api.deepseek.com.evil.org",
        "https://notdeepseek.com", "https://example.com/api.openai.com"}) {
    CAPTURE(url);
    CHECK(find(url, all)->empty());
  }
}

TEST_CASE("FATHOM_API_KEY goes to whatever engine is named, before the vendor's", "[engine]") {
  const std::map<std::string, std::string> both = {{"FATHOM_API_KEY", "own-key"},
                                                   {"DEEPSEEK_API_KEY", "deepseek-key"}};
  CHECK(find("https://example.com/v1", both)->reveal() == "own-key");
  CHECK(find("https://api.deepseek.com", both)->reveal() == "own-key");
  CHECK(find("http://127.0.0.1:8000/v1", both)->reveal() == "own-key");
}

TEST_CASE("a vendor's address without a key says which variable to set", "[engine]") {
  CHECK(find("https://api.deepseek.com", {}).error().message ==
        "api.deepseek.com: no key: set DEEPSEEK_API_KEY or FATHOM_API_KEY");
}

TEST_CASE("a key is not sent unencrypted to another machine", "[engine]") {
  const auto refused = find("http://example.com/v1", {{"FATHOM_API_KEY", kKey}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::permission);
  CHECK(refused.error().message ==
        "http://example.com: the key would travel unencrypted: write https://, or unset "
        "FATHOM_API_KEY if it needs none");
  CHECK(find("http://example.com/v1", {})->empty());
  CHECK(find("http://[::1]:80/v1", {{"FATHOM_API_KEY", kKey}})->reveal() == kKey);
}

TEST_CASE("a key file is read when nobody else can", "[engine]") {
  const test::TempDir dir;
  const auto file = dir.write("key", std::string(kKey) + "\n");
  const auto with_mode = [&](mode_t mode) {
    REQUIRE(::chmod(file.c_str(), mode) == 0);
    return find_key(at("https://example.com/v1"), {env_of({}), file, {}, {}});
  };
  CHECK(with_mode(0600)->reveal() == kKey);
  CHECK(with_mode(0400)->reveal() == kKey);
  for (const mode_t mode : {0640U, 0604U, 0620U, 0601U}) {
    const auto refused = with_mode(mode);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::permission);
    CHECK(refused.error().message ==
          "key file " + file.string() + ": others can reach it: chmod 600 " + file.string());
  }
  CHECK(find_key(at("https://example.com/v1"), {env_of({}), dir / "none", {}, {}}).error().code ==
        ErrorCode::not_found);
  CHECK_FALSE(find_key(at("https://example.com/v1"), {env_of({}), dir.path(), {}, {}}));
}

TEST_CASE("a command gives the key through whoever may start one", "[engine]") {
  KeySources sources{env_of({}), {}, {"pass", "show", "fathom"}, {}};
  CHECK(find_key(at("https://example.com/v1"), sources).error().code == ErrorCode::unsupported);
  std::vector<std::string> ran;
  sources.run_command = [&](const std::vector<std::string>& command) -> Result<std::string> {
    ran = command;
    return std::string(kKey) + "\nuser: me\n";
  };
  CHECK(find_key(at("https://example.com/v1"), sources)->reveal() == kKey);
  CHECK(ran == sources.command);
  for (const char* none : {"", "\n", "\nthe key is below\n"}) {
    sources.run_command = [none](const auto&) { return Result<std::string>(none); };
    CHECK(find_key(at("https://example.com/v1"), sources).error().message ==
          "key command: holds no key");
  }
  sources.run_command = [](const std::vector<std::string>&) -> Result<std::string> {
    return fail(ErrorCode::io, "it ended with 1");
  };
  CHECK(find_key(at("https://example.com/v1"), sources).error().message ==
        "key command: it ended with 1");
}

TEST_CASE("what cannot be a key is refused without being repeated", "[engine]") {
  for (const std::string& text : {std::string("two words-here"), std::string("line\r\nX-Evil: 1"),
                                  std::string("nül-byte"), std::string(kKeyBytesMax + 1, 'x')}) {
    const auto refused = find("https://example.com/v1", {{"FATHOM_API_KEY", text}});
    REQUIRE_FALSE(refused);
    CHECK_FALSE(refused.error().message.contains(text));
    CHECK_FALSE(refused.error().message.contains("Evil"));
  }
}

TEST_CASE("a secret has no way to a stream, and is taken out of what is recorded", "[engine]") {
  STATIC_REQUIRE_FALSE(Printable<Secret>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Secret, std::string>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Secret, std::string_view>);
  const Secret secret{kKey};
  CHECK(secret.redact(std::string("a ") + kKey + kKey + " b") == "a [key][key] b");
  CHECK(secret.redact("nothing") == "nothing");
  CHECK(Secret("k").redact("ok") == "ok");
  CHECK(Secret().redact("ok") == "ok");
  const Secret signs{R"(sk/"a\b"/c)"};
  CHECK(signs.redact(R"({"plain":sk/"a\b"/c,"a":"sk/\"a\\b\"/c","b":"sk\/\"a\\b\"\/c"})") ==
        R"({"plain":[key],"a":"[key]","b":"[key]"})");
}
