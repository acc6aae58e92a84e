// key_sources(): where the key of an engine's host comes from, as the user's config says.
#pragma once

#include "agents/document/user_config.hpp"
#include "engine/remote/credentials.hpp"
#include "engine/session/engine_spec.hpp"
#include "runtime/base/paths.hpp"

namespace fathom::agents {

/// For a host that the config does not name, the variables of the environment alone.
engine::KeySources key_sources(const engine::EngineSpec& spec, const UserConfig& config,
                               const GetEnv& env);

}  // namespace fathom::agents
