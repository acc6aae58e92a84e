// Resolver: host names to addresses, without blocking the agent thread.
#pragma once

#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace fathom::net {

namespace asio = boost::asio;

constexpr std::size_t kAddressesMax = 16;  ///< more are not tried

class Resolver {
 public:
  Resolver() = default;
  virtual ~Resolver() = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// At least one address, in the order in which to try them.
  virtual asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string host) = 0;
};

/// getaddrinfo(3) on Asio's resolver thread. A cancelled caller leaves at once; the look-up itself
/// cannot be stopped and occupies that one thread, and its io_context, until the system gives up on
/// it.
class SystemResolver final : public Resolver {
 public:
  asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string host) override;
};

}  // namespace fathom::net
