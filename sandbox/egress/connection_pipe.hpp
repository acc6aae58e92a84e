// ConnectionPipe: carries bytes between two sockets, both ways, until both ways have ended.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/task_group.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace fathom::sandbox {

/// What a chunk has at most: of each direction that its receiver does not take, so much is held.
constexpr std::size_t kChunkBytes = 64UL * 1024;

/// The two sockets, and where their bytes are counted; all outlive the pipe.
struct PipeEnds {
  asio::ip::tcp::socket& inside;
  asio::ip::tcp::socket& outside;
  std::uint64_t& bytes_up;    ///< from inside to outside
  std::uint64_t& bytes_down;  ///< from outside to inside
};

class ConnectionPipe {
 public:
  enum class Ending : std::uint8_t {
    closed,   ///< both sides said that they were done
    reset,    ///< one side broke the connection off; so is the other's then
    idle,     ///< nothing was carried for `idle`
    refused,  ///< by the gate
  };
  enum class Gate : std::uint8_t { more, open, refuse };
  /// Looks at the first bytes from inside, all of them so far, before any goes out.
  using LookAtFirst = std::function<Gate(std::string_view first)>;

  /// `scratch` has kChunkBytes and may be shared by all pipes of one thread: it holds nothing while
  /// a pipe waits. So a quiet connection costs its two sockets and no buffer.
  ConnectionPipe(Clock& clock, PipeEnds ends, Duration idle, std::span<char> scratch);

  /// `first` was already read from inside. Without `look` the gate is open.
  asio::awaitable<Ending> run(std::string first, LookAtFirst look);

 private:
  asio::awaitable<void> carry_up(std::string first, LookAtFirst look);
  asio::awaitable<void> carry(asio::ip::tcp::socket& from, asio::ip::tcp::socket& to,
                              std::uint64_t& count);
  asio::awaitable<bool> write_all(asio::ip::tcp::socket& to, std::string bytes);
  asio::awaitable<void> watch();
  void direction_ended();
  void stop(Ending why);

  Clock& clock_;
  PipeEnds ends_;
  Duration idle_;
  std::span<char> scratch_;
  TaskGroup tasks_;
  Instant last_{};
  int directions_ = 2;  ///< not ended yet
  Ending ending_ = Ending::closed;
};

}  // namespace fathom::sandbox
