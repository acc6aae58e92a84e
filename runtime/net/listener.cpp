#include "runtime/net/listener.hpp"

#include "runtime/base/unique_fd.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace fathom::net {
namespace {

using boost::system::error_code;
using Local = asio::local::stream_protocol;

// The kernel cuts it to net.core.somaxconn.
constexpr int kBacklog = 1024;
constexpr std::size_t kSocketPathMax = sizeof(sockaddr_un::sun_path) - 1;

Error listen_error(const ListenAddress& address, int errno_value) {
  const std::string what = "listen " + address.to_string();
  if (errno_value == EADDRINUSE) {
    return {ErrorCode::in_use,
            what + ": address already in use (another fathom serve? choose --listen)"};
  }
  return system_error(what, errno_value);
}

Error listen_error(const ListenAddress& address, const error_code& ec) {
  return listen_error(address, ec.value());
}

std::optional<ino_t> socket_inode(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return std::nullopt;
  return info.st_ino;
}

/// True when somebody accepts connections at `path`. A full backlog (EAGAIN) is somebody, too.
bool is_listened_on(const std::string& path) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const Local::endpoint endpoint(path);
  if (::connect(probe.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0)
    return true;
  return errno != ECONNREFUSED && errno != ENOENT;
}

/// Holds `PATH.lock` against other servers that start on the same path. Between "nobody listens"
/// and "now we do" lie several system calls, and without it two of them could each remove the
/// other's fresh socket. Not the folder is locked: anybody may lock /tmp, and nobody could start
/// there.
class StartLock {
 public:
  static Result<StartLock> take(const ListenAddress& address);
  StartLock(StartLock&&) = default;
  StartLock& operator=(StartLock&&) = delete;
  ~StartLock() {
    if (file_) ::unlink(path_.c_str());  // before it is unlocked: see take()
  }

 private:
  StartLock(UniqueFd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  UniqueFd file_;
  std::string path_;
};

Result<StartLock> StartLock::take(const ListenAddress& address) {
  std::string path = address.path + ".lock";
  const auto other = [&](std::string_view why) {
    return fail(ErrorCode::in_use, "listen " + address.to_string() + ": " + std::string(why));
  };
  // A link could make us create a file, or lock one, somewhere else.
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!file) {
    if (errno == ELOOP) return other(path + " is a link (remove it)");
    return fail(listen_error(address, errno));
  }
  struct stat ours{};
  struct stat at_path{};
  if (::fstat(file.get(), &ours) != 0) return fail(listen_error(address, errno));
  if (!S_ISREG(ours.st_mode) || ours.st_uid != ::geteuid())
    return other(path + " is not a file of yours (choose another folder)");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return other("another server is starting there (try again)");
    return fail(listen_error(address, errno));
  }
  // The holder removes the file: who opened it before that must not take it for the present one.
  if (::lstat(path.c_str(), &at_path) != 0 || at_path.st_ino != ours.st_ino ||
      at_path.st_dev != ours.st_dev)
    return other("another server is starting there (try again)");
  return StartLock(std::move(file), std::move(path));
}

}  // namespace

Result<Listener> Listener::create(const asio::any_io_executor& executor,
                                  const ListenAddress& address) {
  Acceptor acceptor(executor);
  if (address.kind == ListenAddress::Kind::unix_socket)
    return create_unix(std::move(acceptor), address);
  return create_tcp(std::move(acceptor), address);
}

Result<Listener> Listener::create_tcp(Acceptor acceptor, ListenAddress address) {
  using asio::ip::tcp;
  error_code ec;
  const auto host = asio::ip::make_address(address.host, ec);
  if (ec) return fail(listen_error(address, ec));
  const tcp::endpoint endpoint(host, address.port);
  acceptor.open(endpoint.protocol(), ec);
  // Otherwise a restarted server waits a minute for its predecessor's connections to leave
  // TIME_WAIT.
  if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(kBacklog, ec);
  if (ec) return fail(listen_error(address, ec));

  tcp::endpoint bound;
  auto size = static_cast<socklen_t>(bound.capacity());
  if (::getsockname(acceptor.native_handle(), bound.data(), &size) != 0)
    return fail(listen_error(address, errno));
  bound.resize(size);
  address.port = bound.port();
  return Listener(std::move(acceptor), std::move(address));
}

Result<Listener> Listener::create_unix(Acceptor acceptor, ListenAddress address) {
  const std::string& path = address.path;
  if (path.size() > kSocketPathMax) {
    return fail(ErrorCode::too_large,
                "listen " + address.to_string() + ": the path has " + std::to_string(path.size()) +
                    " bytes, a socket path at most " + std::to_string(kSocketPathMax) +
                    " (choose a shorter one)");
  }
  const StartLock lock = TRY(StartLock::take(address));

  error_code ec;
  acceptor.open(Local(), ec);
  if (ec) return fail(listen_error(address, ec));
  // Before bind, when the file is born: chmod afterwards would leave an instant for anybody to
  // connect, and umask belongs to the whole process.
  if (::fchmod(acceptor.native_handle(), 0600) != 0) return fail(listen_error(address, errno));
  acceptor.bind(Local::endpoint(path), ec);
  if (ec == asio::error::address_in_use) {
    if (!socket_inode(path)) {
      return fail(ErrorCode::in_use,
                  "listen " + address.to_string() + ": a file has this name (choose another)");
    }
    if (is_listened_on(path)) return fail(listen_error(address, EADDRINUSE));
    ::unlink(path.c_str());
    acceptor.bind(Local::endpoint(path), ec);
  }
  if (!ec) acceptor.listen(kBacklog, ec);
  if (ec) return fail(listen_error(address, ec));
  const auto inode = socket_inode(path);
  Listener listener(std::move(acceptor), std::move(address));
  listener.inode_ = inode.value_or(0);
  return listener;
}

void Listener::close() {
  if (!acceptor_.is_open()) return;
  if (inode_ != 0 && socket_inode(address_.path) == inode_) ::unlink(address_.path.c_str());
  error_code ignored;
  acceptor_.close(ignored);
}

}  // namespace fathom::net
