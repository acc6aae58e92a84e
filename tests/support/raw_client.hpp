// RawClient: a client that is a bare socket, so that a test decides about every byte, close and
// silence.
#pragma once

#include "runtime/base/unique_fd.hpp"
#include "runtime/net/listen_address.hpp"

#include <string>
#include <string_view>

namespace fathom::test {

/// Never blocks. ServerHarness moves the server while a client waits.
class RawClient {
 public:
  /// Connects, or throws.
  explicit RawClient(const net::ListenAddress& address);
  /// The other side of such a connection, as accept(2) gave it.
  explicit RawClient(UniqueFd accepted);

  /// Writes what the kernel takes and returns how much that was; 0 also when the connection is
  /// lost.
  std::size_t send(std::string_view bytes);
  /// Bytes that the peer's kernel has not received yet.
  [[nodiscard]] std::size_t in_transit() const;
  /// Appends to received() what has arrived.
  void receive();

  [[nodiscard]] std::string& received() { return received_; }
  /// The server sends no more: it closed properly.
  [[nodiscard]] bool ended() const { return ended_; }
  /// The server threw the connection away.
  [[nodiscard]] bool was_reset() const { return reset_; }

  /// Sends no more, but still receives.
  void shutdown_write();
  void close() { fd_.reset(); }
  /// Closes with a reset, as a crashed or impatient client does.
  void close_with_reset();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  std::string received_;
  UniqueFd fd_;
  bool ended_ = false;
  bool reset_ = false;
};

/// How many descriptors this process has open.
std::size_t count_open_fds();

}  // namespace fathom::test
