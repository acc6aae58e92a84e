// ServerContext: what all connections of one server share.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/net/access.hpp"
#include "runtime/net/http_server.hpp"
#include "runtime/net/response_head.hpp"

#include <boost/asio/any_io_executor.hpp>

namespace fathom::net {

struct ServerContext {
  asio::any_io_executor executor;
  Clock& clock;
  ServerOptions options;
  HttpHandler handler;
  AccessRules access;
  HttpDate date;
  bool draining = false;
  std::size_t bodies_bytes = 0;  ///< of requests that are being read or handled
};

}  // namespace fathom::net
