#include "sandbox/egress/connection_pipe.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/base/ensure.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace fathom::sandbox {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// A connection that always has bytes to read lets the others run after so many chunks.
constexpr int kChunksPerTurn = 16;

bool would_block(const error_code& ec) {
  return ec == asio::error::would_block || ec == asio::error::try_again;
}

}  // namespace

ConnectionPipe::ConnectionPipe(Clock& clock, PipeEnds ends, Duration idle, std::span<char> scratch)
    : clock_(clock),
      ends_(ends),
      idle_(idle),
      scratch_(scratch),
      tasks_(ends.inside.get_executor()),
      last_(clock.now()) {
  ENSURE(scratch.size() == kChunkBytes, "the owner keeps one chunk");
}

asio::awaitable<ConnectionPipe::Ending> ConnectionPipe::run(std::string first, LookAtFirst look) {
  error_code ignored;
  for (tcp::socket* socket : {&ends_.inside, &ends_.outside}) {
    socket->non_blocking(true, ignored);
    // What arrives is passed on whole, so waiting for more could only delay it.
    socket->set_option(tcp::no_delay(true), ignored);
  }
  tasks_.spawn(carry_up(std::move(first), std::move(look)));
  tasks_.spawn(carry(ends_.outside, ends_.inside, ends_.bytes_down));
  tasks_.spawn(watch());
  co_await tasks_.join();
  co_return ending_;
}

asio::awaitable<void> ConnectionPipe::carry_up(std::string first, LookAtFirst look) {
  while (look) {
    const Gate gate = look(first);
    if (gate == Gate::open) break;
    if (gate == Gate::refuse) co_return stop(Ending::refused);
    error_code ec;
    const std::size_t before = first.size();
    first.resize(before + kChunkBytes / 16);
    const std::size_t size = co_await ends_.inside.async_read_some(
        asio::buffer(first.data() + before, first.size() - before),
        asio::redirect_error(asio::use_awaitable, ec));
    first.resize(before + size);
    if (ec == asio::error::eof) break;  // too little to be what the gate looks for
    if (ec) co_return stop(Ending::reset);
    last_ = clock_.now();
  }
  const std::size_t size = first.size();
  const bool written = co_await write_all(ends_.outside, std::move(first));
  if (!written) co_return stop(Ending::reset);
  ends_.bytes_up += size;
  co_await carry(ends_.inside, ends_.outside, ends_.bytes_up);
}

// Reads and writes are tried at once, and waited for only where they would block: a chunk that is
// taken whole never leaves the scratch buffer.
asio::awaitable<void> ConnectionPipe::carry(tcp::socket& from, tcp::socket& to,
                                            std::uint64_t& count) {
  for (int chunks = 1;; ++chunks) {
    error_code ec;
    const std::size_t size = from.read_some(asio::buffer(scratch_.data(), scratch_.size()), ec);
    if (would_block(ec)) {
      co_await from.async_wait(tcp::socket::wait_read,
                               asio::redirect_error(asio::use_awaitable, ec));
      if (ec) co_return stop(Ending::reset);
      continue;
    }
    if (ec == asio::error::eof) break;
    if (ec) co_return stop(Ending::reset);
    last_ = clock_.now();
    std::size_t sent = to.write_some(asio::buffer(scratch_.data(), size), ec);
    if (would_block(ec)) {
      sent = 0;
    } else if (ec) {
      co_return stop(Ending::reset);
    }
    count += sent;
    if (sent < size) {
      std::string rest(scratch_.data() + sent, size - sent);
      const bool written = co_await write_all(to, std::move(rest));
      if (!written) co_return stop(Ending::reset);
      count += size - sent;
    }
    if (chunks % kChunksPerTurn == 0) co_await asio::post(from.get_executor(), asio::use_awaitable);
  }
  error_code ignored;
  to.shutdown(tcp::socket::shutdown_send, ignored);
  direction_ended();
}

asio::awaitable<bool> ConnectionPipe::write_all(tcp::socket& to, std::string bytes) {
  error_code ec;
  co_await asio::async_write(to, asio::buffer(bytes),
                             asio::redirect_error(asio::use_awaitable, ec));
  last_ = clock_.now();
  co_return !ec;
}

asio::awaitable<void> ConnectionPipe::watch() {
  while (clock_.now() < last_ + idle_) co_await clock_.sleep_until(last_ + idle_);
  stop(Ending::idle);
}

void ConnectionPipe::direction_ended() {
  if (--directions_ == 0) tasks_.cancel();  // the watcher has nothing left to watch
}

void ConnectionPipe::stop(Ending why) {
  if (directions_ == 0) return;
  ending_ = why;
  directions_ = 0;
  tasks_.cancel();
}

}  // namespace fathom::sandbox
