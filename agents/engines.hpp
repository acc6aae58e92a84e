// Engines: opens the engine that a SPEC names, once, whatever kind it is.
#pragma once

#include "engine/remote/credentials.hpp"
#include "engine/session/engine.hpp"
#include "engine/session/engine_spec.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"
#include "runtime/net/http_client.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace fathom::agents {

namespace asio = boost::asio;

class Engines {
 public:
  struct Services {
    Clock& clock;
    OffloadPool& offload;
    GetEnv env;
    /// The SPEC behind a name of the user's config, or the text itself; empty text is the user's
    /// own choice. Absent: a SPEC is all that can be given.
    std::function<Result<std::string>(std::string_view name)> resolve;
    /// Where the key for a host comes from; absent: the environment alone.
    std::function<engine::KeySources(const engine::EngineSpec& spec)> keys;
  };

  explicit Engines(Services services) : services_(std::move(services)) {}
  Engines(const Engines&) = delete;
  Engines& operator=(const Engines&) = delete;

  /// Lives as long as this. Errors name the engine and what is wrong with it.
  asio::awaitable<Result<engine::Engine*>> open(std::string_view name);

 private:
  asio::awaitable<Result<std::unique_ptr<engine::Engine>>> make(engine::EngineSpec spec);
  asio::awaitable<Result<std::unique_ptr<engine::Engine>>> make_remote(engine::EngineSpec spec);

  Services services_;
  std::unique_ptr<net::HttpClient> http_;
  std::map<std::string, std::unique_ptr<engine::Engine>, std::less<>> opened_;
};

}  // namespace fathom::agents
