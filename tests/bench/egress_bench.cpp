// egress_bench: what the broker adds to a connection, beside a direct one over the same loopback.
// Direct and brokered connections take turns in one run; client, server and broker have a thread
// each.
#include "sandbox/egress/egress_broker.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace fathom;
using namespace fathom::sandbox;
using asio::ip::tcp;

namespace {

// Within the broker's burst, so that its rate limit is not what is measured.
constexpr int kConnections = 400;
constexpr int kDownloads = 5;
constexpr std::size_t kDownloadBytes = 1UL << 30U;
constexpr std::size_t kChunk = 256UL * 1024;

using Microseconds = std::chrono::duration<double, std::micro>;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Answers 'e' with one byte, 'd' with kDownloadBytes; one connection after the other.
void serve(tcp::acceptor& acceptor, int connections) {
  const std::vector<char> chunk(kChunk, 'x');
  for (int i = 0; i < connections; ++i) {
    tcp::socket socket = acceptor.accept();
    char wish = 0;
    asio::read(socket, asio::buffer(&wish, 1));
    const std::size_t total = wish == 'd' ? kDownloadBytes : 1;
    for (std::size_t sent = 0; sent < total;)
      sent += asio::write(socket, asio::buffer(chunk.data(), std::min(kChunk, total - sent)));
  }
}

class FixedResolver final : public net::Resolver {
 public:
  asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string) override {
    co_return std::vector<asio::ip::address>{asio::ip::address_v4(0xC0000201)};
  }
};

EgressOptions options(tcp::endpoint server) {
  EgressOptions out;
  out.network.hosts = {
      {"rule", policies::Verdict::allow, "bench.test", {443}, {policies::Phase::agent}}};
  out.decide = [](const policies::request::Connect&) {
    return policies::Decision{policies::Verdict::allow, "rule", "", ""};
  };
  out.outbound.decide_resolved = [](std::string_view, std::string_view) {
    return policies::Decision{policies::Verdict::allow, "rule", "", ""};
  };
  out.outbound.resolver = std::make_unique<FixedResolver>();
  out.outbound.dial = [server](tcp::endpoint) { return dial_tcp(server); };
  out.on_record = [](EgressRecord) {};
  return out;
}

UniqueFd bound(int type, std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  const bool fine = ::bind(fd.get(), address, size) == 0 &&
                    (type != SOCK_STREAM || ::listen(fd.get(), 128) == 0) &&
                    ::getsockname(fd.get(), address, &size) == 0;
  if (!fine) std::exit(1);
  port = ntohs(at.sin_port);
  return fd;
}

/// A broker on a thread of its own; its proxy's port.
class Broker {
 public:
  explicit Broker(tcp::endpoint server)
      : broker_(EgressBroker::create(io_.get_executor(), clock_, options(server)).value()) {
    std::vector<UniqueFd> fds;
    for (const ListenerPlan& plan : broker_->listeners()) {
      std::uint16_t port = 0;
      fds.push_back(bound(plan.type, port));
      if (plan.port == 3128) port_ = port;
    }
    asio::co_spawn(io_, broker_->serve(std::move(fds)),
                   [](std::exception_ptr, const Result<>&) { std::exit(1); });
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Broker() { std::_Exit(0); }  // the end of the program; the broker would serve for ever

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  asio::io_context io_{1};
  SystemClock clock_;
  std::unique_ptr<EgressBroker> broker_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

tcp::socket connect(asio::io_context& io, tcp::endpoint to, bool tunnel) {
  tcp::socket socket(io);
  socket.connect(to);
  if (!tunnel) return socket;
  asio::write(socket, asio::buffer(std::string("CONNECT bench.test:443 HTTP/1.1\r\n\r\n")));
  std::array<char, 39> answer{};  // "HTTP/1.1 200 Connection established\r\n\r\n"
  asio::read(socket, asio::buffer(answer));
  return socket;
}

/// From connect to the server's first byte, in microseconds.
double first_byte_us(asio::io_context& io, tcp::endpoint to, bool tunnel) {
  const auto start = std::chrono::steady_clock::now();
  tcp::socket socket = connect(io, to, tunnel);
  char byte = 'e';
  asio::write(socket, asio::buffer(&byte, 1));
  asio::read(socket, asio::buffer(&byte, 1));
  return Microseconds(std::chrono::steady_clock::now() - start).count();
}

double download_us(asio::io_context& io, tcp::endpoint to, bool tunnel) {
  tcp::socket socket = connect(io, to, tunnel);
  std::vector<char> chunk(kChunk);
  const auto start = std::chrono::steady_clock::now();
  asio::write(socket, asio::buffer("d", 1));
  for (std::size_t got = 0; got < kDownloadBytes;) got += socket.read_some(asio::buffer(chunk));
  return Microseconds(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main() {
  asio::io_context io;
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  const tcp::endpoint server = acceptor.local_endpoint();
  Broker broker(server);
  const tcp::endpoint proxy(asio::ip::address_v4::loopback(), broker.port());
  std::thread serving([&] { serve(acceptor, 2 * (kConnections + kDownloads)); });

  std::vector<double> direct;
  std::vector<double> brokered;
  for (int i = 0; i < kConnections; ++i) {
    direct.push_back(first_byte_us(io, server, false));
    brokered.push_back(first_byte_us(io, proxy, true));
  }
  std::printf("first byte: direct %.0f us, brokered %.0f us, ratio %.2f\n", median(direct),
              median(brokered), median(brokered) / median(direct));

  std::vector<double> direct_bulk;
  std::vector<double> brokered_bulk;
  for (int i = 0; i < kDownloads; ++i) {
    direct_bulk.push_back(download_us(io, server, false));
    brokered_bulk.push_back(download_us(io, proxy, true));
  }
  const double gib_direct = 1e6 / median(direct_bulk);
  const double gib_brokered = 1e6 / median(brokered_bulk);
  std::printf("download: direct %.2f GiB/s, brokered %.2f GiB/s, ratio %.2f\n", gib_direct,
              gib_brokered, gib_brokered / gib_direct);
  serving.join();
  std::fflush(stdout);
}
