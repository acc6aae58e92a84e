#include "sandbox/zygote/network.hpp"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace fathom::sandbox::zygote {
namespace {

constexpr unsigned kLoopbackIndex = 1;  // of lo in every network namespace
constexpr int kBacklog = 128;
constexpr std::uint32_t kResolverAddress = 0x7f000035;  // 127.0.0.53, as resolv.conf inside says

// "ip route add local default dev lo": every address is ours, so a connection to any of them
// reaches the listener of its port in this session, which reads the address that was meant from its
// socket.
bool add_capture_route(int socket, unsigned char family) {
  struct {
    nlmsghdr header;
    rtmsg route;
    rtattr attribute;
    std::uint32_t index;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_NEWROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  request.route.rtm_family = family;
  request.route.rtm_table = RT_TABLE_LOCAL;
  request.route.rtm_protocol = RTPROT_BOOT;
  request.route.rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  request.route.rtm_type = RTN_LOCAL;
  request.attribute.rta_type = RTA_OIF;
  request.attribute.rta_len = RTA_LENGTH(sizeof request.index);
  request.index = kLoopbackIndex;
  if (::send(socket, &request, sizeof request, 0) != static_cast<long>(sizeof request))
    return false;
  char answer[512];
  const long size = ::recv(socket, answer, sizeof answer, 0);
  if (size < static_cast<long>(sizeof(nlmsghdr) + sizeof(nlmsgerr))) return errno = EPROTO, false;
  nlmsgerr result{};
  std::memcpy(&result, answer + sizeof(nlmsghdr), sizeof result);
  errno = -result.error;
  return result.error == 0;
}

// "ip address add 127.0.0.53/8 dev lo". The C library's AI_ADDRCONFIG asks whether the machine has
// an IPv4 address other than 127.0.0.1 itself, and without one finds no name for whoever wants IPv4
// alone. A kernel that refuses leaves just that as it was.
void add_resolver_address(int socket) {
  ifreq request{};
  std::memcpy(request.ifr_name, "lo:1", sizeof "lo:1");
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(kResolverAddress);
  std::memcpy(&request.ifr_addr, &at, sizeof at);
  ::ioctl(socket, SIOCSIFADDR, &request);
}

// `address` is dotted IPv4, or empty for every address of both families.
int bind_one(int type, std::uint16_t port, const char* address) {
  const bool any = *address == '\0';
  const int fd = ::socket(any ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int bound = -1;
  if (any) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    bound = ::inet_pton(AF_INET, address, &to.sin_addr) == 1
                ? ::bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to)
                : -1;
  }
  if (bound == 0 && type == SOCK_STREAM) bound = ::listen(fd, kBacklog);
  if (bound == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

Failure raise_loopback(bool capture) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(wire::Stage::loopback);
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool up = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  if (up && capture) add_resolver_address(fd);
  const Failure failure = up ? Failure{} : failed(wire::Stage::loopback);
  ::close(fd);
  if (failure || !capture) return failure;

  const int netlink = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0) return failed(wire::Stage::routes);
  bool routed = add_capture_route(netlink, AF_INET);
  // A kernel without IPv6 has nothing to capture there.
  if (routed && !add_capture_route(netlink, AF_INET6))
    routed = errno == EAFNOSUPPORT || errno == EOPNOTSUPP;
  const Failure route_failure = routed ? Failure{} : failed(wire::Stage::routes);
  ::close(netlink);
  return route_failure;
}

// What the building process reports.
struct Built {
  Failure failure;
  int fd = -1;
};

}  // namespace

Failure NetworkBuild::start(bool capture) {
  if (::pipe2(ends_, O_CLOEXEC) != 0) return failed(wire::Stage::namespaces, 3);
  // Shares our descriptors, so that the one it opens of its namespace is ours as well.
  builder_ = clone_process(CLONE_FILES, nullptr);
  if (builder_ < 0) {
    const Failure failure = failed(wire::Stage::namespaces, 4);
    close_all(ends_, 2);
    return failure;
  }
  if (builder_ > 0) return {};
  Built built;
  if (::syscall(SYS_unshare, CLONE_NEWNET) != 0)
    built.failure = failed(wire::Stage::namespaces, 5);
  else
    built.failure = raise_loopback(capture);
  if (!built.failure) {
    built.fd = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (built.fd < 0) built.failure = failed(wire::Stage::namespaces, 6);
  }
  ::_exit(::write(ends_[1], &built, sizeof built) == sizeof built ? 0 : 1);
}

Failure NetworkBuild::join() {
  // The end that it writes to is ours as well, and closing it earlier would close it there: so the
  // pipe ends with the builder only when we wait for that. What it reports fits into the pipe.
  // SIGCHLD is ignored, so the wait has no status: it fails with ECHILD when the builder is gone.
  while (::waitpid(builder_, nullptr, 0) < 0 && errno == EINTR) continue;
  ::close(ends_[1]);
  Built built;
  const bool reported = ::read(ends_[0], &built, sizeof built) == sizeof built;
  ::close(ends_[0]);
  if (!reported) return {wire::Stage::namespaces, EPIPE, 7};
  if (built.failure) return built.failure;
  const bool joined = ::syscall(SYS_setns, built.fd, CLONE_NEWNET) == 0;
  const Failure failure = joined ? Failure{} : failed(wire::Stage::namespaces, 8);
  ::close(built.fd);
  return failure;
}

Failure open_listeners(wire::PlanReader& plan, int* listeners, std::size_t& count) {
  const std::uint32_t wanted = plan.u32();
  if (wanted > wire::kListenersMax) return {wire::Stage::plan, EINVAL, wanted};
  for (count = 0; count < wanted; ++count) {
    const auto type = static_cast<int>(plan.u32());
    const auto port = static_cast<std::uint16_t>(plan.u32());
    const char* address = plan.text();
    listeners[count] = bind_one(type, port, address);
    if (listeners[count] < 0)
      return failed(wire::Stage::listeners, static_cast<std::uint32_t>(count));
  }
  return {};
}

}  // namespace fathom::sandbox::zygote
