// Endpoint: where a remote engine's requests go.
#pragma once

#include "engine/remote/wire_codec.hpp"
#include "engine/session/engine_spec.hpp"
#include "runtime/base/result.hpp"
#include "runtime/net/url.hpp"

#include <string>

namespace fathom::engine {

enum class Api : std::uint8_t { openai, anthropic };

struct Endpoint {
  Api api = Api::openai;
  net::Origin origin;
  Vendor vendor = Vendor::other;
  std::string answers;  ///< target of the POST that samples
  std::string models;   ///< target of the GET that lists models
};

/// The vendor that a host belongs to; its key goes to no other.
[[nodiscard]] Vendor vendor_of(const net::Origin& origin);

/// Takes the address in the forms that people have it in: the bare host, with /v1, or the whole
/// path of the request. A query string is kept.
Result<Endpoint> find_endpoint(const EngineSpec& spec);

}  // namespace fathom::engine
