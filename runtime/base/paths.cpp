#include "runtime/base/paths.hpp"

#include <cstdlib>

namespace fathom {
namespace {

Result<std::filesystem::path> xdg_dir(const GetEnv& env, const char* variable,
                                      const char* below_home) {
  if (std::filesystem::path base = env(variable); base.is_absolute()) return base / "fathom";
  if (std::filesystem::path home = env("HOME"); home.is_absolute())
    return home / below_home / "fathom";
  return fail(ErrorCode::usage, std::string("no place for Fathom's files: set ") + variable +
                                    " or HOME to an absolute path");
}

}  // namespace

std::string process_env(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Result<std::filesystem::path> state_dir(const GetEnv& env) {
  return xdg_dir(env, "XDG_STATE_HOME", ".local/state");
}

Result<std::filesystem::path> config_dir(const GetEnv& env) {
  return xdg_dir(env, "XDG_CONFIG_HOME", ".config");
}

Result<std::filesystem::path> cache_dir(const GetEnv& env) {
  return xdg_dir(env, "XDG_CACHE_HOME", ".cache");
}

}  // namespace fathom
