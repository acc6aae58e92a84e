// Probes of the network: every target is on loopback or in a namespace that the test made.
#include "tests/sandbox/probes/probe.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fathom::probes {
namespace {

constexpr int kAnswerMs = 2000;

int open_socket(const Arguments& a) {
  return answer_of(::socket(static_cast<int>(a.number(0)), static_cast<int>(a.number(1)),
                            static_cast<int>(a.number(2))));
}
int open_pair(const Arguments& a) {
  int ends[2];
  return answer_of(::socketpair(AF_UNIX, static_cast<int>(a.number(0)), 0, ends));
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family = AF_UNSPEC;
};

Address address_of(const char* text, long port) {
  Address address;
  auto* four = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, text, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(static_cast<std::uint16_t>(port));
    address.size = sizeof *four;
    address.family = AF_INET;
  } else if (::inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(static_cast<std::uint16_t>(port));
    address.size = sizeof *six;
    address.family = AF_INET6;
  }
  return address;
}

const sockaddr* pointer(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

// "@name" is an abstract name.
Address unix_address(const char* path) {
  Address address;
  auto* to = reinterpret_cast<sockaddr_un*>(&address.storage);
  to->sun_family = AF_UNIX;
  std::strncpy(to->sun_path, path, sizeof to->sun_path - 1);
  address.size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(to->sun_path));
  if (path[0] == '@')
    to->sun_path[0] = '\0';
  else
    ++address.size;
  address.family = AF_UNIX;
  return address;
}

int connect_tcp(const Arguments& a) {
  const Address to = address_of(a.text(0), a.number(1));
  const int fd = ::socket(to.family, SOCK_STREAM, 0);
  return fd < 0 ? errno : answer_of(::connect(fd, pointer(to), to.size));
}

int fast_open(const Arguments& a) {
  const Address to = address_of(a.text(0), a.number(1));
  const int fd = ::socket(to.family, SOCK_STREAM, 0);
  return fd < 0
             ? errno
             : answer_of(::sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, pointer(to), to.size));
}

int send_datagram(const Arguments& a) {
  const Address to = address_of(a.text(0), a.number(1));
  const int fd = ::socket(to.family, SOCK_DGRAM, 0);
  if (fd < 0) return errno;
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
  return answer_of(::sendto(fd, "x", 1, 0, pointer(to), to.size));
}

int send_echo(const Arguments& a) {
  const Address to = address_of(a.text(0), 0);
  const int fd = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  const unsigned char echo[8] = {8, 0, 0xF7, 0xFF, 0, 0, 0, 0};
  return fd < 0 ? errno : answer_of(::sendto(fd, echo, sizeof echo, 0, pointer(to), to.size));
}

int connect_unix(const Arguments& a) {
  const Address to = unix_address(a.text(0));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  return fd < 0 ? errno : answer_of(::connect(fd, pointer(to), to.size));
}

int send_unix_datagram(const Arguments& a) {
  const Address to = unix_address(a.text(0));
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  return fd < 0 ? errno : answer_of(::sendto(fd, "x", 1, 0, pointer(to), to.size));
}

// A server and a client of one's own; FAMILY's loopback.
int talk_on_loopback(const Arguments& a) {
  Address at = address_of(a.text(0), 0);
  const int server = ::socket(at.family, SOCK_STREAM, 0);
  if (server < 0 || ::bind(server, pointer(at), at.size) != 0 || ::listen(server, 1) != 0)
    return errno;
  at.size = sizeof at.storage;
  ::getsockname(server, reinterpret_cast<sockaddr*>(&at.storage), &at.size);
  const int client = ::socket(at.family, SOCK_STREAM, 0);
  if (::connect(client, pointer(at), at.size) != 0) return errno;
  pollfd waiting{server, POLLIN, 0};
  if (::poll(&waiting, 1, kAnswerMs) != 1) return ETIMEDOUT;
  const int peer = ::accept(server, nullptr, nullptr);
  char byte = 0;
  if (::write(client, "x", 1) != 1 || ::read(peer, &byte, 1) != 1) return errno;
  return byte == 'x' ? 0 : EPROTO;
}

int talk_by_path(const Arguments& a) {
  const Address at = unix_address(a.text(0));
  const int server = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (server < 0 || ::bind(server, pointer(at), at.size) != 0 || ::listen(server, 1) != 0)
    return errno;
  return connect_unix(a);
}

int raise_interface(const Arguments&) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return errno;
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP;
  return answer_of(::ioctl(fd, SIOCSIFFLAGS, &request));
}

// How many interfaces there are beside loopback.
int interfaces(const Arguments&) {
  struct if_nameindex* all = ::if_nameindex();
  if (all == nullptr) return errno;
  long count = 0;
  for (const struct if_nameindex* one = all; one->if_index != 0; ++one)
    if (std::strcmp(one->if_name, "lo") != 0) ++count;
  ::if_freenameindex(all);
  return print(count);
}

constexpr Probe kProbes[] = {{"socket", open_socket},
                             {"socketpair", open_pair},
                             {"connect_tcp", connect_tcp},
                             {"fast_open", fast_open},
                             {"send_datagram", send_datagram},
                             {"send_echo", send_echo},
                             {"connect_unix", connect_unix},
                             {"send_unix_datagram", send_unix_datagram},
                             {"talk_on_loopback", talk_on_loopback},
                             {"talk_by_path", talk_by_path},
                             {"raise_interface", raise_interface},
                             {"interfaces", interfaces}};

}  // namespace

std::span<const Probe> network_probes() { return kProbes; }

}  // namespace fathom::probes
