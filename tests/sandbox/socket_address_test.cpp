#include "sandbox/socket_address.hpp"

#include "sandbox/listening_sockets.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

namespace fathom::sandbox {
namespace {

peer::Internet internet(const char* address, std::uint16_t port) {
  const auto parsed = policies::Address::parse(address);
  REQUIRE(parsed);
  return {*parsed, port};
}

SocketAddress unix_address(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return parse_socket_address(
      {reinterpret_cast<const char*>(&address), offsetof(sockaddr_un, sun_path) + path.size()});
}

TEST_CASE("an address read back from its bytes is the same", "[sandbox-sockets]") {
  for (const char* text :
       {"127.0.0.1", "0.0.0.0", "192.0.2.7", "::1", "::", "::ffff:127.0.0.1", "2001:db8::1"}) {
    const peer::Internet address = internet(text, 8080);
    CHECK(parse_socket_address(socket_address_bytes(address)) == SocketAddress(address));
  }
}

TEST_CASE("addresses of other kinds, short ones and long ones are told apart",
          "[sandbox-sockets]") {
  const std::string v4 = socket_address_bytes(internet("127.0.0.1", 1));
  CHECK(parse_socket_address(v4.substr(0, 15)) == SocketAddress(peer::Malformed{}));
  CHECK(parse_socket_address("") == SocketAddress(peer::Malformed{}));
  CHECK(parse_socket_address("\x02") == SocketAddress(peer::Malformed{}));
  CHECK(parse_socket_address(std::string(2, '\0')) == SocketAddress(peer::Unspecified{}));
  CHECK(parse_socket_address(std::string("\x10\0rest", 6)) == SocketAddress(peer::Other{16}));
  CHECK(parse_socket_address(v4 + std::string(200, 'x')) == SocketAddress(peer::Malformed{}));
  CHECK(unix_address("/run/a") == SocketAddress(peer::UnixPath{"/run/a"}));
  CHECK(unix_address(std::string_view("/run/a\0b", 8)) == SocketAddress(peer::UnixPath{"/run/a"}));
  CHECK(unix_address(std::string_view("\0na\0me", 6)) ==
        SocketAddress(peer::UnixAbstract{std::string("na\0me", 5)}));
  CHECK(unix_address("") == SocketAddress(peer::Malformed{}));
}

TEST_CASE("loopback is known in every spelling that the kernel takes for it", "[sandbox-sockets]") {
  for (const char* text : {"127.0.0.1", "127.9.8.7", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1",
                           "::ffff:0.0.0.0", "::ffff:127.1.2.3"}) {
    INFO(text);
    CHECK(is_loopback(dialled(internet(text, 1)).address));
  }
  // 6to4 and NAT64 forms of 127.0.0.1 leave the machine.
  for (const char* text : {"128.0.0.1", "10.0.0.1", "::2", "2002:7f00:1::", "64:ff9b::7f00:1",
                           "::ffff:10.0.0.1", "::127.0.0.1"}) {
    INFO(text);
    CHECK_FALSE(is_loopback(dialled(internet(text, 1)).address));
  }
  CHECK(to_text(dialled(internet("0.0.0.0", 80))) == "127.0.0.1:80");
  CHECK(to_text(dialled(internet("::", 80))) == "[::1]:80");
  CHECK(to_text(dialled(internet("::ffff:0.0.0.0", 80))) == "[::ffff:127.0.0.1]:80");
}

constexpr std::string_view kTable =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n"
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
    "111 1 0000000000000000 100 0 0 10 0\n"
    "   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
    "222 1 0000000000000000 100 0 0 10 0\n"
    "   2: 0100007F:1F91 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 "
    "333 1 0000000000000000 100 0 0 10 0\n";
constexpr std::string_view kTable6 =
    "   0: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 444 1 0000000000000000 100 0 0 10 0\n"
    "   1: 0000000000000000FFFF00000100007F:1F93 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 555 1 0000000000000000 100 0 0 10 0\n"
    "   2: 00000000000000000000000000000000:1F94 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 666 1 0000000000000000 100 0 0 10 0\n";

std::vector<ListeningSocket> table() {
  auto sockets = parse_listening_sockets(kTable);
  for (const ListeningSocket& socket : parse_listening_sockets(kTable6)) sockets.push_back(socket);
  return sockets;
}

TEST_CASE("the kernel's tables of sockets give listeners only", "[sandbox-sockets]") {
  const auto entry = [](const char* address, std::uint16_t port, std::uint64_t inode) {
    return ListeningSocket{internet(address, port).address, port, inode};
  };
  CHECK(table() == std::vector<ListeningSocket>{entry("127.0.0.1", 8080, 111),
                                                entry("0.0.0.0", 80, 222), entry("::1", 8082, 444),
                                                entry("::ffff:127.0.0.1", 8083, 555),
                                                entry("::", 8084, 666)});
  for (std::size_t cut = 0; cut < kTable.size(); ++cut)  // no prefix invents an entry
    for (const ListeningSocket& socket : parse_listening_sockets(kTable.substr(0, cut)))
      CHECK((socket.inode == 1 || socket.inode == 11 || socket.inode == 111 || socket.inode == 2 ||
             socket.inode == 22 || socket.inode == 222));
}

TEST_CASE("a port is ours only when every socket that could answer is", "[sandbox-sockets]") {
  const auto who = [](const char* address, std::uint16_t port, std::vector<std::uint64_t> ours) {
    return who_listens(table(), internet(address, port), [&](std::uint64_t inode) {
      return std::ranges::find(ours, inode) != ours.end();
    });
  };
  CHECK(who("127.0.0.1", 8080, {111}) == Listener::ours);
  CHECK(who("::ffff:127.0.0.1", 8080, {111}) == Listener::ours);
  CHECK(who("127.0.0.1", 8080, {}) == Listener::foreign);
  CHECK(who("127.0.0.2", 8080, {}) == Listener::nobody);
  CHECK(who("127.0.0.1", 8081, {333}) == Listener::nobody);
  CHECK(who("127.0.0.9", 80, {}) == Listener::foreign);
  CHECK(who("::1", 8082, {444}) == Listener::ours);
  CHECK(who("127.0.0.1", 8083, {555}) == Listener::ours);
  CHECK(who("127.0.0.1", 8084, {}) == Listener::foreign);
  CHECK(who("::1", 8084, {666}) == Listener::ours);
  auto both = table();
  both.push_back({internet("127.0.0.1", 8084).address, 8084, 777});
  CHECK(who_listens(both, internet("127.0.0.1", 8084),
                    [](std::uint64_t inode) { return inode == 777; }) == Listener::foreign);
}

}  // namespace
}  // namespace fathom::sandbox
