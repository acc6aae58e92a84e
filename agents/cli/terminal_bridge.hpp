// TerminalBridge: connects the person's terminal with the pseudo-terminal of a sandbox: raw keys
// in, raw bytes out, window sizes along. The sandbox never gets the person's terminal itself, so it
// can neither type into it nor change its modes; what it prints does reach it, as with any remote
// shell.
#pragma once

#include "runtime/base/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>

#include <termios.h>

#include <array>
#include <optional>
#include <string>

namespace fathom::agents {

namespace asio = boost::asio;

class TerminalBridge {
 public:
  explicit TerminalBridge(asio::any_io_executor executor);
  ~TerminalBridge();
  TerminalBridge(const TerminalBridge&) = delete;
  TerminalBridge& operator=(const TerminalBridge&) = delete;

  /// Takes the master side and begins to carry; the person's terminal goes into raw mode.
  void start(UniqueFd master);
  /// Restores the person's terminal. Idempotent.
  void stop();

 private:
  void read_keys();
  void read_screen();
  void follow_size();
  void copy_size();

  asio::any_io_executor executor_;
  asio::signal_set resized_;
  std::optional<asio::posix::stream_descriptor> keyboard_;
  std::optional<asio::posix::stream_descriptor> master_;
  std::optional<termios> saved_;
  std::array<char, 4096> keys_{};
  std::array<char, 16384> screen_{};
};

}  // namespace fathom::agents
