#include "sandbox/listening_sockets.hpp"

#include "runtime/base/file.hpp"

#include <charconv>
#include <cstring>
#include <optional>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kTableBytesMax = 8UL << 20;  // of each table: 50,000 connections
constexpr std::string_view kListening = "0A";
constexpr std::size_t kInodeField = 9;

std::string_view next_field(std::string_view& line) {
  const std::size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos) return line = {};
  line.remove_prefix(start);
  const std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(field.size());
  return field;
}

template <class Number>
std::optional<Number> number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "0100007F:1F90": the address as words of 32 bits, each printed as this machine's integer of the
// bytes in memory, so its bytes are already in the network's order.
std::optional<ListeningSocket> parse_local(std::string_view text) {
  constexpr std::size_t kWordDigits = 8;
  const std::size_t colon = text.find(':');
  if (colon != kWordDigits && colon != 4 * kWordDigits) return std::nullopt;
  ListeningSocket socket;
  socket.address.is_v6 = colon != kWordDigits;
  for (std::size_t i = 0; i < colon / kWordDigits; ++i) {
    const auto word = number<std::uint32_t>(text.substr(i * kWordDigits, kWordDigits), 16);
    if (!word) return std::nullopt;
    std::memcpy(socket.address.bytes.data() + i * sizeof *word, &*word, sizeof *word);
  }
  const auto port = number<std::uint16_t>(text.substr(colon + 1), 16);
  if (!port) return std::nullopt;
  socket.port = *port;
  return socket;
}

std::optional<ListeningSocket> parse_line(std::string_view line) {
  next_field(line);  // its number
  const std::string_view local = next_field(line);
  next_field(line);  // the peer
  if (next_field(line) != kListening) return std::nullopt;
  auto socket = parse_local(local);
  std::string_view field;
  for (std::size_t i = 4; i <= kInodeField; ++i) field = next_field(line);
  const auto inode = number<std::uint64_t>(field, 10);
  if (!socket || !inode) return std::nullopt;
  socket->inode = *inode;
  return socket;
}

bool takes(const ListeningSocket& socket, const peer::Internet& to) {
  if (socket.port != to.port) return false;
  const policies::Address wanted = to.address.unmapped();
  const policies::Address held = socket.address.unmapped();
  if (held == wanted) return true;
  // A wildcard of IPv6 takes IPv4 too, unless it was told not to, which the table does not say.
  const bool wildcard = held == policies::Address{held.is_v6, {}};
  return wildcard && (held.is_v6 || !wanted.is_v6);
}

}  // namespace

std::vector<ListeningSocket> parse_listening_sockets(std::string_view text) {
  std::vector<ListeningSocket> sockets;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (auto socket = parse_line(line)) sockets.push_back(*socket);
  }
  return sockets;
}

Result<std::vector<ListeningSocket>> listening_sockets() {
  auto sockets = parse_listening_sockets(TRY(read_file("/proc/self/net/tcp", kTableBytesMax)));
  const auto v6 = read_file("/proc/self/net/tcp6", kTableBytesMax);
  if (!v6 && v6.error().code != ErrorCode::not_found) return fail(v6.error());
  if (v6) {
    const auto more = parse_listening_sockets(*v6);
    sockets.insert(sockets.end(), more.begin(), more.end());
  }
  return sockets;
}

Listener who_listens(const std::vector<ListeningSocket>& sockets, const peer::Internet& to,
                     const std::function<bool(std::uint64_t inode)>& is_ours) {
  Listener listener = Listener::nobody;
  for (const ListeningSocket& socket : sockets) {
    if (!takes(socket, to)) continue;
    if (!is_ours(socket.inode)) return Listener::foreign;
    listener = Listener::ours;
  }
  return listener;
}

}  // namespace fathom::sandbox
