// Dialer: makes the connections an HttpClient sends its requests over.
#pragma once

#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"
#include "runtime/net/byte_stream.hpp"
#include "runtime/net/deadlines.hpp"
#include "runtime/net/proxy.hpp"

#include <memory>
#include <string>

namespace fathom::net {

class Dialer {
 public:
  Dialer() = default;
  virtual ~Dialer() = default;
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  /// A connection on which HTTP requests to `route.origin` can be sent. Both arguments outlive the
  /// call.
  virtual asio::awaitable<Result<std::unique_ptr<ByteStream>>> dial(const Route& route,
                                                                    const Deadlines& deadlines) = 0;
};

}  // namespace fathom::net
