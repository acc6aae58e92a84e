// Where Fathom keeps what outlives a run, by the XDG base directory specification.
#pragma once

#include "runtime/base/result.hpp"

#include <filesystem>
#include <functional>
#include <string>

namespace fathom {

/// Reads one environment variable; injected so that tests need not change the process's own. Empty
/// when unset.
using GetEnv = std::function<std::string(const char* name)>;

/// The process's real environment.
std::string process_env(const char* name);

/// State directory: $XDG_STATE_HOME/fathom, by default ~/.local/state/fathom. Holds journals/ and
/// sessions/. Relative XDG values are ignored, as the specification asks. Fails when neither
/// variable nor HOME is usable.
Result<std::filesystem::path> state_dir(const GetEnv& env = process_env);

/// Configuration directory: $XDG_CONFIG_HOME/fathom, by default ~/.config/fathom. Holds policy.yaml
/// and pins.
Result<std::filesystem::path> config_dir(const GetEnv& env = process_env);

/// Cache directory: $XDG_CACHE_HOME/fathom, by default ~/.cache/fathom. Holds kv/.
Result<std::filesystem::path> cache_dir(const GetEnv& env = process_env);

}  // namespace fathom
