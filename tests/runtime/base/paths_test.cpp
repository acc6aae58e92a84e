#include "runtime/base/paths.hpp"

#include "tests/support/catch.hpp"

#include <map>

using namespace fathom;

namespace {

GetEnv env_of(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
}

}  // namespace

TEST_CASE("state and cache follow the XDG variables, then HOME", "[runtime]") {
  CHECK(state_dir(env_of({{"XDG_STATE_HOME", "/s"}, {"HOME", "/h"}})).value() == "/s/fathom");
  CHECK(state_dir(env_of({{"HOME", "/h"}})).value() == "/h/.local/state/fathom");
  CHECK(config_dir(env_of({{"XDG_CONFIG_HOME", "/c"}})).value() == "/c/fathom");
  CHECK(config_dir(env_of({{"HOME", "/h"}})).value() == "/h/.config/fathom");
  CHECK(cache_dir(env_of({{"XDG_CACHE_HOME", "/c"}})).value() == "/c/fathom");
  CHECK(cache_dir(env_of({{"HOME", "/h"}})).value() == "/h/.cache/fathom");
}

TEST_CASE("a relative XDG value is ignored and nothing usable is an error", "[runtime]") {
  CHECK(state_dir(env_of({{"XDG_STATE_HOME", "rel"}, {"HOME", "/h"}})).value() ==
        "/h/.local/state/fathom");
  CHECK(state_dir(env_of({{"HOME", "rel"}})).error().message ==
        "no place for Fathom's files: set XDG_STATE_HOME or HOME to an absolute path");
}
