// Remote engines: a model behind HTTP, as an Engine like any other.
//
//   endpoint      where requests go        credentials   with which key
//   *_codec       bodies                   *_reader      answers
//   fault_of      what went wrong          remote_session   one transcript, one request at a time
#pragma once

#include "engine/remote/credentials.hpp"
#include "engine/session/engine.hpp"
#include "engine/session/engine_spec.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/result.hpp"
#include "runtime/net/http_client.hpp"

#include <memory>

namespace fathom::engine {

/// Both outlive the engine and its sessions.
struct RemoteServices {
  net::HttpClient& http;
  Clock& clock;
};

/// Opens nothing yet: the first request does. Fails for a spec of another kind, an address that
/// cannot be, or a key that is missing or must not travel.
Result<std::unique_ptr<Engine>> open_remote(const EngineSpec& spec, RemoteServices services,
                                            const KeySources& keys);

}  // namespace fathom::engine
