#include "agents/document/key_sources.hpp"

#include "runtime/net/url.hpp"

#include <algorithm>

namespace fathom::agents {

engine::KeySources key_sources(const engine::EngineSpec& spec, const UserConfig& config,
                               const GetEnv& env) {
  engine::KeySources keys;
  keys.env = env;
  for (const Placed<HostKey>& key : config.keys)
    if (key.value.source.kind == KeySource::Kind::env)
      keys.key_variables.push_back(key.value.source.name);
  const auto url = net::Url::parse(spec.place);
  if (!url) return keys;
  const auto& origin = url->origin;
  const auto found = std::ranges::find_if(config.keys, [&](const Placed<HostKey>& key) {
    return key.value.host == origin.host || key.value.host == origin.host_port();
  });
  if (found == config.keys.end()) return keys;
  const KeySource& source = found->value.source;
  if (source.kind == KeySource::Kind::env)
    keys.env = [env, name = source.name](const char* asked) {
      return std::string_view(asked) == "FATHOM_API_KEY" ? env(name.c_str()) : std::string();
    };
  if (source.kind == KeySource::Kind::file)
    keys.file = source.name.starts_with("~/") ? env("HOME") + source.name.substr(1) : source.name;
  if (source.kind == KeySource::Kind::command) keys.command = source.command;
  return keys;
}

}  // namespace fathom::agents
