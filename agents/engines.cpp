#include "agents/engines.hpp"

#include "agents/demo/demo_model.hpp"
#include "engine/remote/remote_engine.hpp"
#include "engine/replay/replay_engine.hpp"
#include "engine/session/local_session.hpp"
#include "sandbox/host_command.hpp"

#include <utility>

namespace fathom::agents {

using engine::EngineSpec;

asio::awaitable<Result<std::unique_ptr<engine::Engine>>> Engines::make_remote(EngineSpec spec) {
  if (!http_) {
    CO_TRY(http_, net::HttpClient::create(services_.clock, {}, services_.env));
  }
  engine::KeySources keys;
  keys.env = services_.env;
  if (services_.keys) keys = services_.keys(spec);
  Result<std::string> said;
  if (!keys.command.empty()) {
    // Beside the loop: a password manager may wait for its owner.
    auto asking = offload(services_.offload, [&keys] {
      return sandbox::host_command_output(keys.command, {.hidden_variables = keys.key_variables});
    });
    said = co_await std::move(asking);
    keys.run_command = [&said](const std::vector<std::string>&) { return said; };
  }
  co_return engine::open_remote(spec, {*http_, services_.clock}, keys);
}

asio::awaitable<Result<std::unique_ptr<engine::Engine>>> Engines::make(EngineSpec spec) {
  using Opened = Result<std::unique_ptr<engine::Engine>>;
  switch (spec.kind) {
    case EngineSpec::Kind::openai:
    case EngineSpec::Kind::anthropic: {
      auto making = make_remote(std::move(spec));
      co_return co_await std::move(making);
    }
    case EngineSpec::Kind::demo: {
      auto opening = offload(services_.offload, [&]() -> Opened {
        const std::filesystem::path folder = TRY(unpack_demo_model(services_.env));
        return engine::LocalChatEngine::open(spec, folder);
      });
      co_return co_await std::move(opening);
    }
    case EngineSpec::Kind::local: {
      auto opening = offload(services_.offload, [&]() -> Opened {
        return engine::LocalChatEngine::open(spec, spec.place);
      });
      co_return co_await std::move(opening);
    }
    case EngineSpec::Kind::replay: {
      auto opening =
          offload(services_.offload, [&]() -> Opened { return engine::ReplayEngine::open(spec); });
      co_return co_await std::move(opening);
    }
  }
  co_return fail(ErrorCode::unsupported, spec.to_string() + ": no such kind of engine");
}

asio::awaitable<Result<engine::Engine*>> Engines::open(std::string_view name) {
  std::string text(name);
  if (services_.resolve) {
    CO_TRY(text, services_.resolve(name));
  }
  CO_TRY(EngineSpec spec, engine::parse_engine_spec(text));
  const std::string key = spec.to_string();
  if (const auto found = opened_.find(key); found != opened_.end()) co_return found->second.get();
  auto making = make(std::move(spec));
  CO_TRY(std::unique_ptr<engine::Engine> made, co_await std::move(making));
  co_return opened_.emplace(key, std::move(made)).first->second.get();
}

}  // namespace fathom::agents
