// Listener: a bound and listening socket, TCP or unix, that leaves nothing behind.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/net/listen_address.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <sys/types.h>

namespace fathom::net {

namespace asio = boost::asio;

class Listener {
 public:
  /// One type for TCP and unix sockets, so that the server exists once.
  using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

  /// Binds and listens. A unix socket is created readable and writable by its owner only (0600);
  /// one that was left behind is replaced when nobody listens on it. Errors: in_use, permission,
  /// too_large (a path that does not fit a socket address), and what the system says.
  static Result<Listener> create(const asio::any_io_executor& executor,
                                 const ListenAddress& address);

  /// Stops listening and removes the unix socket's file, if it is still ours.
  ~Listener() { close(); }
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;

  void close();
  [[nodiscard]] Acceptor& acceptor() { return acceptor_; }
  /// With the port that the kernel chose.
  [[nodiscard]] const ListenAddress& address() const { return address_; }

 private:
  Listener(Acceptor acceptor, ListenAddress address)
      : acceptor_(std::move(acceptor)), address_(std::move(address)) {}
  static Result<Listener> create_tcp(Acceptor acceptor, ListenAddress address);
  static Result<Listener> create_unix(Acceptor acceptor, ListenAddress address);

  Acceptor acceptor_;
  ListenAddress address_;
  ino_t inode_ = 0;  ///< of the unix socket's file: somebody may have put another in its place
};

}  // namespace fathom::net
