#include "sandbox/connect_broker.hpp"

#include "policies/decide.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/dial.hpp"
#include "sandbox/egress/egress_broker.hpp"
#include "sandbox/without_capabilities.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

namespace fathom::sandbox {
namespace {

constexpr std::uint16_t kFirstFreePort = 1024;  // below, binding needs a capability

std::optional<std::uint64_t> inode_of(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return std::nullopt;
  return info.st_ino;
}

Denial connect_denial(std::string target, const policies::Decision& decision) {
  return {"connect", std::move(target), decision.rule, decision.grant};
}

// What binding to the unspecified address of IPv6 comes down to: a server there expects IPv4 too,
// so IPv4's loopback first; ::1 for one that has bound that already and wants both.
std::vector<peer::Internet> places_to_bind(const peer::Internet& asked) {
  const peer::Internet local = dialled(asked);
  if (local == asked || !local.address.is_v6 || local.address.unmapped() != local.address)
    return {local};
  peer::Internet mapped = local;
  mapped.address.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
  return {mapped, local};
}

// A path of the target as a descriptor that opens nothing. Both have the same mounts here. Links of
// /proc lead where ours, not the target's, would lead: refused. The path is walked with no more
// rights than a command of the same user has, or a command of root's would learn by us what is in
// folders that are closed to it.
UniqueFd open_as_target(const Target& target, const std::string& path) {
  const UniqueFd folder(
      ::open((target.folder() + "/cwd").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const WithoutCapabilities as_the_command;
  if (!as_the_command.holds()) return errno = EACCES, UniqueFd();
  return UniqueFd(
      static_cast<int>(::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof how)));
}

// Counts while it lives: a connection may end by cancellation.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

ConnectBroker::ConnectBroker(Clock& clock, const FileFences& fences, policies::Phase phase)
    : clock_(clock), fences_(fences), phase_(phase) {
  for (const std::string& path : fences.policy.network.unix_sockets)
    unix_sockets_.push_back(look_at_path(path).path);
}

bool ConnectBroker::is_brokered(int number) {
  switch (number) {
    case SYS_socket:
    case SYS_bind:
    case SYS_connect:
    case SYS_sendto:
      return true;
    default:
      return false;
  }
}

asio::awaitable<void> ConnectBroker::answer(const NotifyChannel& channel, NotifiedCall call,
                                            Outcome& outcome) {
  if (call.number == SYS_socket) {
    make_socket(channel, call);
  } else if (call.number == SYS_sendto) {
    send(channel, call);
  } else {
    Request request = read_request(channel, call, outcome);
    if (call.number == SYS_bind)
      bind(request);
    else
      co_await connect(request);
  }
}

ConnectBroker::Request ConnectBroker::read_request(const NotifyChannel& channel,
                                                   const NotifiedCall& call,
                                                   Outcome& outcome) const {
  Request request{channel, call, outcome, Target(call.thread), call.word(0), {}, peer::Malformed{}};
  if (const auto inode = request.target.socket_inode(request.fd))
    if (const auto known = sockets_.find(*inode); known != sockets_.end())
      request.socket = known->second;
  const int size = call.word(2);
  if (size <= 0 || static_cast<std::size_t>(size) > kSocketAddressBytesMax) return request;
  // The one copy that everything is decided on.
  if (const auto bytes = request.target.bytes(call.arguments[1], static_cast<std::size_t>(size)))
    if (channel.still_waits(call)) request.address = parse_socket_address(*bytes);
  return request;
}

// The family, type and protocol are registers, and the filter has let only TCP through to here.
void ConnectBroker::make_socket(const NotifyChannel& channel, const NotifiedCall& call) {
  const int family = call.word(0);
  const int type = call.word(1);
  if ((family != AF_INET && family != AF_INET6) || (type & 0xF) != SOCK_STREAM)
    return channel.refuse(call, EPERM);
  const auto fd = idle_socket(family);
  if (!fd) return channel.refuse(call, fd.error());
  if ((type & SOCK_NONBLOCK) == 0) (void)::fcntl(fd->get(), F_SETFL, 0);
  remember(fd->get(), {family, State::idle});
  if (const int error = channel.answer_with(call, fd->get(), (type & SOCK_CLOEXEC) != 0))
    channel.refuse(call, error);
}

// A socket that is not ours is a Unix or netlink one: it goes on. Were it exchanged for an Internet
// socket, or the address, before the kernel looks: Landlock refuses every TCP bind of a command,
// and its rules on files hold for the names of Unix sockets.
void ConnectBroker::bind(Request& request) {
  if (!request.socket) return request.channel.let_continue(request.call);
  const auto* internet = std::get_if<peer::Internet>(&request.address);
  const auto refuse = [&](int error) { request.channel.refuse(request.call, error); };
  if (internet == nullptr) return refuse(EINVAL);
  if (internet->address.is_v6 != (request.socket->family == AF_INET6)) return refuse(EAFNOSUPPORT);
  if (request.socket->state != State::idle) return refuse(EINVAL);
  if (!fences_.policy.network.loopback) {
    request.outcome.add(
        {"bind", to_text(*internet), "network.loopback", "network: {loopback: true}"});
    return refuse(EACCES);
  }
  if (!is_loopback(dialled(*internet).address)) return refuse(EADDRNOTAVAIL);
  if (internet->port != 0 && internet->port < kFirstFreePort) return refuse(EACCES);
  int error = EADDRINUSE;
  for (const peer::Internet& place : places_to_bind(*internet)) {
    const auto fd = bound_socket(place);
    if (fd) return put_in_place(request, fd->get(), {request.socket->family, State::bound});
    error = fd.error();
    // A stranger's port must not become a server that half of the clients find.
    const auto sockets = listening_sockets();
    const auto ours = [this](std::uint64_t inode) { return is_ours(inode); };
    if (!sockets || who_listens(*sockets, place, ours) != Listener::ours) break;
  }
  refuse(error);
}

// Only what the filter leaves can be sent on. A TCP socket ignores the address or is not connected
// (fast open, which would obey it, is refused by the flags, a register; the socket option that
// makes connect lazy dies with the command's own socket), a Unix stream has no use for it, and
// netlink reaches the kernel's routing alone.
void ConnectBroker::send(const NotifyChannel& channel, const NotifiedCall& call) const {
  if ((call.word(3) & MSG_FASTOPEN) != 0) return channel.refuse(call, EPERM);
  channel.let_continue(call);
}

asio::awaitable<void> ConnectBroker::connect(Request& request) {
  const auto refuse = [&](int error) { request.channel.refuse(request.call, error); };
  if (request.socket && request.socket->state == State::connected &&
      !std::holds_alternative<peer::Unspecified>(request.address)) {
    refuse(EISCONN);
  } else if (dials_ >= kDialsMax) {
    refuse(EAGAIN);
  } else if (const auto* internet = std::get_if<peer::Internet>(&request.address)) {
    const Counted dial(dials_);
    co_await connect_internet(request, *internet);
  } else if (const auto* path = std::get_if<peer::UnixPath>(&request.address)) {
    const Counted dial(dials_);
    co_await connect_unix(request, path->path);
  } else if (const auto* abstract = std::get_if<peer::UnixAbstract>(&request.address)) {
    // Landlock would keep the command's own connect among its own names, but going on would let the
    // address become a path in between, and connected by us it would reach every name of the host.
    request.outcome.add({"connect", "@" + abstract->name, "sandbox.abstract_sockets", ""});
    refuse(EPERM);
  } else if (std::holds_alternative<peer::Unspecified>(request.address) && request.socket) {
    const auto fd = idle_socket(request.socket->family);
    if (fd)
      put_in_place(request, fd->get(), {request.socket->family, State::idle});
    else
      refuse(fd.error());
  } else {
    refuse(std::holds_alternative<peer::Other>(request.address) ? EAFNOSUPPORT : EINVAL);
  }
}

asio::awaitable<void> ConnectBroker::connect_internet(Request& request,
                                                      const peer::Internet& internet) {
  const auto refuse = [&](int error) { request.channel.refuse(request.call, error); };
  if (!request.socket) co_return refuse(EACCES);  // of the caller, or too old to be remembered
  if (internet.address.is_v6 != (request.socket->family == AF_INET6))
    co_return refuse(EAFNOSUPPORT);
  Ruling ruling = rule(internet);
  if (ruling.denial) request.outcome.add(*std::move(ruling.denial));
  if (ruling.error != 0) co_return refuse(ruling.error);
  if (ruling.is_proxy) co_return co_await hand_over(request, std::move(ruling), {});
  auto fd = co_await dial(clock_, ruling.to);
  if (!fd) co_return refuse(fd.error());
  if (ruling.carried) co_return co_await hand_over(request, std::move(ruling), *std::move(fd));
  put_in_place(request, fd->get(), {request.socket->family, State::connected});
}

// Where the near end does not get into its place any more it is closed here, and the far one reads
// an end.
asio::awaitable<void> ConnectBroker::hand_over(Request& request, Ruling ruling, UniqueFd outside) {
  auto pair = co_await loopback_pair(clock_, request.socket->family);
  if (!pair) co_return request.channel.refuse(request.call, pair.error());
  put_in_place(request, pair->near.get(), {request.socket->family, State::connected});
  if (ruling.is_proxy) {
    egress_->take(std::move(pair->far));
  } else {
    const auto& bytes = ruling.to.address.unmapped();
    egress_->carry({std::move(pair->far), std::move(outside)}, {bytes.to_string(), ruling.to.port},
                   *std::move(ruling.carried));
  }
}

asio::awaitable<void> ConnectBroker::connect_unix(Request& request, const std::string& path) {
  const auto refuse = [&](int error) { request.channel.refuse(request.call, error); };
  if (request.socket) co_return refuse(EAFNOSUPPORT);
  const UniqueFd at = open_as_target(request.target, path);
  if (!at) co_return refuse(errno);
  struct stat info{};
  if (::fstat(at.get(), &info) != 0 || !S_ISSOCK(info.st_mode)) co_return refuse(ECONNREFUSED);
  if (auto denial = judge_unix_socket(descriptor_path(at.get()))) {
    request.outcome.add(*std::move(denial));
    co_return refuse(EACCES);
  }
  const auto flags = request.target.flags(request.fd);
  const bool waits = flags && (*flags & O_NONBLOCK) == 0;
  const auto fd = co_await dial_unix(clock_, at.get(), waits ? WhenFull::wait : WhenFull::fail);
  if (!fd) co_return refuse(fd.error());
  put_in_place(request, fd->get(), {AF_UNIX, State::connected});
}

// Sockets in what the session may write are its own affair, also one that a process outside has put
// there. The rest of the host's (docker, ssh-agent, the bus) only by the policy's word.
std::optional<Denial> ConnectBroker::judge_unix_socket(const std::string& path) const {
  if (std::ranges::find(unix_sockets_, path) != unix_sockets_.end()) return std::nullopt;
  if (path.starts_with('/') && !judge_write(fences_, path)) return std::nullopt;
  return Denial{"connect", path, "network.unix_sockets",
                "network: {unix_sockets: [\"" + to_printable(path) + "\"]}"};
}

ConnectBroker::Ruling ConnectBroker::rule(const peer::Internet& internet) const {
  const peer::Internet to = dialled(internet);
  if (is_loopback(to.address)) return rule_loopback(to);
  const std::string host = to.address.unmapped().to_string();
  auto decision =
      policies::decide(fences_.policy, policies::request::Connect{host, to.port, phase_});
  // By its class too: an address that is loopback's in another's eyes (6to4, NAT64) is no loopback.
  if (decision.verdict == policies::Verdict::allow)
    decision = policies::decide_resolved(fences_.policy, host, host);
  if (decision.verdict != policies::Verdict::allow)
    return {.error = EACCES, .denial = connect_denial(to_text(to), decision), .to = to};
  if (egress_ == nullptr) return {.error = ENETUNREACH, .to = to};
  return {.to = to, .carried = std::move(decision)};
}

ConnectBroker::Ruling ConnectBroker::rule_loopback(const peer::Internet& to) const {
  const policies::Network& network = fences_.policy.network;
  const auto listed = [&](const std::vector<std::uint16_t>& ports) {
    return std::ranges::find(ports, to.port) != ports.end();
  };
  if (egress_ != nullptr && egress_->proxy_port() == to.port) return {.to = to, .is_proxy = true};
  if (listed(network.host_loopback_ports)) return {.to = to};
  if (!network.loopback) {
    const auto decision =
        policies::decide(fences_.policy, policies::request::Connect{"127.0.0.1", to.port, phase_});
    return {.error = EACCES, .denial = connect_denial(to_text(to), decision), .to = to};
  }
  const auto sockets = listening_sockets();
  const auto ours = [this](std::uint64_t inode) { return is_ours(inode); };
  Listener listener = sockets ? who_listens(*sockets, to, ours) : Listener::foreign;
  peer::Internet where = to;
  if (listener == Listener::nobody && to.address.is_v6 && to.address.unmapped() == to.address) {
    // Nobody on ::1: a server bound to all of IPv6 stands on IPv4's loopback, see places_to_bind().
    where.address.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
    listener = who_listens(*sockets, where, ours);
    if (listener != Listener::ours) return {.error = ECONNREFUSED, .to = to};
  }
  if (listener == Listener::ours) return {.to = where};
  if (listener == Listener::nobody) return {.error = ECONNREFUSED, .to = to};
  return {.error = EACCES,
          .denial = Denial{"connect", to_text(to), "network.host_loopback_ports",
                           "network: {host_loopback_ports: [" + std::to_string(to.port) + "]}"},
          .to = to};
}

void ConnectBroker::remember(int fd, Socket socket) {
  const auto inode = inode_of(fd);
  if (!inode || socket.family == AF_UNIX) return;
  if (sockets_.insert_or_assign(*inode, socket).second) oldest_.push_back(*inode);
  if (oldest_.size() <= kBrokeredSocketsMax) return;
  sockets_.erase(oldest_.front());
  oldest_.pop_front();
}

void ConnectBroker::put_in_place(const Request& request, int fd, Socket socket) {
  const auto flags = request.target.flags(request.fd);
  if (!flags) return request.channel.refuse(request.call, EBADF);
  (void)::fcntl(fd, F_SETFL, *flags & O_NONBLOCK);
  remember(fd, socket);
  const int error =
      request.channel.replace(request.call, fd, request.fd, (*flags & O_CLOEXEC) != 0);
  if (error != 0) return request.channel.refuse(request.call, error);
  request.channel.answer(request.call, 0);
}

}  // namespace fathom::sandbox
