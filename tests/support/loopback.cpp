#include "tests/support/loopback.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/base/ensure.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <utility>

namespace fathom::test {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// How many bytes of body `head` announces.
std::size_t body_size(const std::string& head) {
  const std::size_t at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

}  // namespace

asio::awaitable<std::string> LoopbackPeer::start_tls(Identity identity) {
  context_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  context_->use_certificate_chain(asio::buffer(identity.certificate));
  context_->use_private_key(asio::buffer(identity.key), asio::ssl::context::pem);
  tls_ = std::make_unique<asio::ssl::stream<tcp::socket&>>(socket_, *context_);
  co_await tls_->async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
  const char* name = SSL_get_servername(tls_->native_handle(), TLSEXT_NAMETYPE_host_name);
  co_return name ? name : "";
}

asio::awaitable<void> LoopbackPeer::send_key_update() {
  SSL_key_update(tls_->native_handle(), SSL_KEY_UPDATE_NOT_REQUESTED);
  co_await tls_->async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
}

asio::awaitable<std::string> LoopbackPeer::read_some() {
  if (!unread_.empty()) co_return std::exchange(unread_, {});
  std::string bytes(64 * 1024, '\0');
  error_code ec;
  std::size_t size = 0;
  if (tls_) {
    size = co_await tls_->async_read_some(asio::buffer(bytes),
                                          asio::redirect_error(asio::use_awaitable, ec));
  } else {
    size = co_await socket_.async_read_some(asio::buffer(bytes),
                                            asio::redirect_error(asio::use_awaitable, ec));
  }
  if (ec == asio::error::operation_aborted) throw_cancelled();
  bytes.resize(ec ? 0 : size);
  co_return bytes;
}

asio::awaitable<std::string> LoopbackPeer::read_request() {
  std::string request;
  for (;;) {
    const std::size_t head_end = request.find("\r\n\r\n");
    const std::size_t size =
        head_end == std::string::npos ? 0 : head_end + 4 + body_size(request.substr(0, head_end));
    if (size != 0 && request.size() >= size) {
      unread_ = request.substr(size);
      co_return request.substr(0, size);
    }
    const std::string more = co_await read_some();
    if (more.empty()) throw std::runtime_error("the client closed before its request was whole");
    request += more;
  }
}

asio::awaitable<void> LoopbackPeer::send(std::string bytes) {
  if (tls_) {
    co_await asio::async_write(*tls_, asio::buffer(bytes), asio::use_awaitable);
  } else {
    co_await asio::async_write(socket_, asio::buffer(bytes), asio::use_awaitable);
  }
}

asio::awaitable<void> LoopbackPeer::wait_closed() {
  for (;;) {
    const std::string bytes = co_await read_some();
    if (bytes.empty()) co_return;
  }
}

void LoopbackPeer::reset() {
  socket_.set_option(tcp::socket::linger(true, 0));
  socket_.close();
}

Loopback::Loopback(asio::io_context& io)
    : executor_(io.get_executor()),
      acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      scripts_(executor_) {}

void Loopback::serve(std::vector<Script> scripts) { scripts_.spawn(accept(std::move(scripts))); }

asio::awaitable<void> Loopback::accept(std::vector<Script> scripts) {
  for (;;) {
    tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
    // Nagle's algorithm would hold a second small piece back, for 40 ms of real time.
    socket.set_option(tcp::no_delay(true));
    if (accepted_++ < scripts.size())
      scripts_.spawn(play(scripts[accepted_ - 1], std::move(socket)));
  }
}

asio::awaitable<void> Loopback::play(Script script, tcp::socket socket) {
  LoopbackPeer peer(std::move(socket));
  try {
    co_await script(peer);
  } catch (const std::exception&) {
    // A client that leaves in the middle is what many tests are about. A script that is cancelled
    // ends here as well.
    co_return;
  }
}

asio::awaitable<void> Loopback::let_time_pass(Duration duration) {
  // Loopback sockets deliver within the sending call, so what the other side does next is already
  // queued; a step of the client takes a few hops through the queue.
  constexpr int kHops = 200;
  for (int i = 0; i < kHops; ++i) co_await asio::post(executor_, asio::use_awaitable);
  clock_.advance(duration);
}

asio::awaitable<void> Loopback::stop() {
  scripts_.cancel();
  co_await scripts_.join();
}

FullListener::FullListener(const asio::any_io_executor& executor) : acceptor_(executor, tcp::v4()) {
  acceptor_.bind({asio::ip::address_v4::loopback(), 0});
  acceptor_.listen(0);
  // Linux queues one connection more than the backlog says; the second is for the SYN queue's sake.
  // Not through Asio: its connect waits for the outcome, also on a non-blocking socket.
  const auto endpoint = acceptor_.local_endpoint();
  for (int i = 0; i < 2; ++i) {
    queued_.emplace_back(executor, tcp::v4());
    queued_.back().native_non_blocking(true);
    const int connected = ::connect(queued_.back().native_handle(), endpoint.data(),
                                    static_cast<socklen_t>(endpoint.size()));
    const bool begun = connected == 0 || errno == EINPROGRESS;
    ENSURE(begun, "a loopback connection can be begun");
  }
}

std::exception_ptr run_to_end(asio::io_context& io, asio::awaitable<void> task) {
  return cancel_after(io, std::numeric_limits<std::size_t>::max(), std::move(task));
}

std::exception_ptr cancel_after(asio::io_context& io, std::size_t handlers,
                                asio::awaitable<void> task) {
  asio::cancellation_signal cancel;
  std::exception_ptr error;
  bool ended = false;
  asio::co_spawn(io, std::move(task),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) {
                   ended = true;
                   error = std::move(e);
                 }));
  for (std::size_t i = 0; !ended; ++i) {
    // From inside the executor: co_spawn of Boost 1.81 forwards an emit from elsewhere through a
    // posted handler that points into the task, which may have ended by the time it runs.
    if (i == handlers)
      asio::post(io, [&] {
        if (!ended) cancel.emit(asio::cancellation_type::terminal);
      });
    io.restart();
    ENSURE(io.run_one_for(std::chrono::seconds(30)) != 0,
           "a test's sockets are all on this machine");
  }
  io.poll();  // the post above may still be queued, and refers to this frame
  return error;
}

void run_on_loopback(const std::function<asio::awaitable<void>(Loopback&)>& body) {
  asio::io_context io(1);
  Loopback loopback(io);
  const auto whole = [&]() -> asio::awaitable<void> {
    std::exception_ptr error;
    try {
      co_await body(loopback);
    } catch (...) {
      error = std::current_exception();
    }
    co_await loopback.stop();
    if (error) std::rethrow_exception(error);
  };
  if (const std::exception_ptr error = run_to_end(io, whole())) std::rethrow_exception(error);
}

std::size_t open_sockets() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ec;
    const std::filesystem::path target = std::filesystem::read_symlink(entry.path(), ec);
    if (!ec && target.string().starts_with("socket:")) ++count;
  }
  return count;
}

}  // namespace fathom::test
