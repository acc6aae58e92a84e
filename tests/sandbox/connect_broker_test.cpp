// The container rung's network: loopback among the commands of a session, and nothing else.
#include "sandbox/connect_broker.hpp"

#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <filesystem>

namespace fathom::sandbox {
namespace {

using test::SandboxFixture;
using test::shell_command;

// A container's rung with the policy's network as `network`.
test::SandboxSetup in_container(policies::Network network = {}) {
  return {[network](LauncherOptions& options) {
    options.rung = Rung::container;
    options.policy.network = network;
  }};
}

// A service of the host that no command may reach. It takes nothing, so whoever connected waits in
// its queue.
class HostService {
 public:
  HostService() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* bytes = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(fd_.get(), bytes, size) == 0);
    REQUIRE(::listen(fd_.get(), 64) == 0);
    REQUIRE(::getsockname(fd_.get(), bytes, &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Whether somebody has connected since it was last asked.
  [[nodiscard]] bool was_reached() const {
    return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)).get() >= 0;
  }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

UniqueFd unix_server(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), 8) == 0);
  return fd;
}

Command perl(const std::string& script) {
  Command command;
  command.argv = {"perl", "-MSocket=:all", "-MFcntl", "-e", script};
  return command;
}

// Connects to an address and prints "ok" or the error's name.
std::string perl_connect(const std::string& family, const std::string& address, int port) {
  const std::string pack = family == "AF_INET" ? "pack_sockaddr_in" : "pack_sockaddr_in6";
  return "socket(S," + family + ",SOCK_STREAM,0) or die; print connect(S," + pack + "(" +
         std::to_string(port) + ",inet_pton(" + family + ",'" + address +
         "'))) ? 'ok' : join('',grep {$!{$_}} keys %!); close S; print qq(\\n);";
}

TEST_CASE("a server and a client of one session meet on loopback", "[sandbox]") {
  SandboxFixture box(in_container());
  const Outcome outcome = box.run(perl(
      "socket(L,AF_INET,SOCK_STREAM,0); setsockopt(L,SOL_SOCKET,SO_REUSEADDR,1);"
      "bind(L,pack_sockaddr_in(0,INADDR_ANY)) or die \"bind $!\"; listen(L,5) or die;"
      "my ($port,$at)=unpack_sockaddr_in(getsockname L); print inet_ntoa($at),qq(\\n);"
      "if(!fork){accept(C,L) or die; print C qq(hello\\n); exit 0}"
      "socket(S,AF_INET,SOCK_STREAM,0); connect(S,pack_sockaddr_in($port,inet_aton('127.0.0.1'))) "
      "or die \"connect $!\"; print scalar <S>; print connect(S,getpeername S) ? 'twice' : "
      "$!{EISCONN}"
      " ? 'once' : $!;"));
  CHECK(outcome.out.text() == "127.0.0.1\nhello\nonce");
  CHECK(outcome.err.text().empty());
  CHECK(outcome.denials.empty());
  CHECK(outcome.rung == Rung::container);
}

TEST_CASE("a server of one command is reached by the next that runs beside it", "[sandbox]") {
  SandboxFixture box(in_container());
  const auto [server, client] = box.both(
      perl("socket(L,AF_INET,SOCK_STREAM,0); bind(L,pack_sockaddr_in(0,INADDR_ANY)) or die; "
           "listen(L,5); my ($port)=unpack_sockaddr_in(getsockname L); open F,'>','new'; print F "
           "$port;"
           "close F; rename 'new','port'; accept(C,L); print C 'over'; close C;"),
      perl("select(undef,undef,undef,0.01) until -e 'port'; open F,'<','port'; my $port=<F>;"
           "socket(S,AF_INET,SOCK_STREAM,0); connect(S,pack_sockaddr_in($port,INADDR_LOOPBACK)) or "
           "die "
           "$!; print <S>;"));
  CHECK(server.exit_code == 0);
  CHECK(client.out.text() == "over");
}

TEST_CASE("a server on all of IPv6 is reached over IPv4 and IPv6", "[sandbox]") {
  SandboxFixture box(in_container());
  const Outcome outcome = box.run(perl(
      "socket(L,AF_INET6,SOCK_STREAM,0) or die; bind(L,pack_sockaddr_in6(0,IN6ADDR_ANY)) or die $!;"
      "listen(L,5); my ($port)=unpack_sockaddr_in6(getsockname L);"
      "if(!fork){for(1..2){accept(C,L); print C 'hi '; close C} exit 0}"
      "socket(S,AF_INET,SOCK_STREAM,0); connect(S,pack_sockaddr_in($port,INADDR_LOOPBACK)) or die "
      "$!;"
      "print <S>; socket(T,AF_INET6,SOCK_STREAM,0);"
      "connect(T,pack_sockaddr_in6($port,IN6ADDR_LOOPBACK)) or die $!; print <T>;"));
  CHECK(outcome.out.text() == "hi hi ");
  CHECK(outcome.err.text().empty());
}

TEST_CASE("the host's loopback services are out of reach in every spelling", "[sandbox]") {
  const HostService host;
  SandboxFixture box(in_container());
  const Outcome outcome = box.run(perl(perl_connect("AF_INET", "127.0.0.1", host.port()) +
                                       perl_connect("AF_INET", "0.0.0.0", host.port()) +
                                       perl_connect("AF_INET6", "::ffff:127.0.0.1", host.port()) +
                                       perl_connect("AF_INET6", "::ffff:0.0.0.0", host.port()) +
                                       perl_connect("AF_INET6", "::1", host.port())));
  CHECK(outcome.out.text() == "EACCES\nEACCES\nEACCES\nEACCES\nECONNREFUSED\n");
  CHECK_FALSE(host.was_reached());
  const std::string port = std::to_string(host.port());
  REQUIRE(outcome.denials.size() == 2);  // 127.0.0.1, and the same mapped
  CHECK(outcome.denials.front() == Denial{"connect", "127.0.0.1:" + port,
                                          "network.host_loopback_ports",
                                          "network: {host_loopback_ports: [" + port + "]}", 2});
}

TEST_CASE("a loopback port that the policy lists is reached", "[sandbox]") {
  const HostService host;
  policies::Network network;
  network.host_loopback_ports = {host.port()};
  SandboxFixture box(in_container(network));
  CHECK(box.run(perl(perl_connect("AF_INET", "127.0.0.1", host.port()))).out.text() == "ok\n");
  CHECK(host.was_reached());
}

TEST_CASE("an address is dialled as it was checked, whoever rewrites it meanwhile", "[sandbox]") {
  const HostService host;
  SandboxFixture box(in_container());
  std::filesystem::copy_file(FATHOM_CONNECT_RACE, box.workspace() + "/race");
  constexpr const char* kRounds = "1000";
  Command command;
  command.argv = {"./race", std::to_string(host.port()), kRounds};
  const Outcome outcome = box.run(command);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.text().empty());
  CHECK_FALSE(host.was_reached());
  // Both were seen: else nothing was raced.
  CHECK(std::stoi(outcome.out.text()) > 0);
  CHECK(outcome.denials.size() == 1);
}

TEST_CASE("nothing listens beyond loopback, also without a bind", "[sandbox]") {
  SandboxFixture box(in_container());
  const Outcome outcome = box.run(perl(
      "socket(L,AF_INET,SOCK_STREAM,0); listen(L,5) or die $!;"
      "my ($port,$at)=unpack_sockaddr_in(getsockname L); print inet_ntoa($at),' ',$port>0,qq(\\n);"
      "socket(M,AF_INET6,SOCK_STREAM,0); listen(M,5) or die $!;"
      "($port,$at)=unpack_sockaddr_in6(getsockname M); print inet_ntop(AF_INET6,$at),qq(\\n);"
      "socket(N,AF_INET,SOCK_STREAM,0); print bind(N,pack_sockaddr_in(0,inet_aton('192.0.2.1'))) ? "
      "'bound' : $!{EADDRNOTAVAIL} ? 'not here' : $!;"
      "print bind(N,pack_sockaddr_in(80,INADDR_ANY)) ? 'bound' : $!{EACCES} ? ' low' : $!;"));
  CHECK(outcome.out.text() == "127.0.0.1 1\n::1\nnot here low");
}

TEST_CASE("addresses without a rule and other kinds of sockets are refused", "[sandbox]") {
  SandboxFixture box(in_container());
  const Outcome outcome = box.run(perl(perl_connect("AF_INET", "192.0.2.1", 80) +
                                       perl_connect("AF_INET6", "64:ff9b::7f00:1", 80) +
                                       "print socket(U,AF_INET,SOCK_DGRAM,0) ? 'udp' : 'no udp';"));
  CHECK(outcome.out.text() == "EACCES\nEACCES\nno udp");
  REQUIRE(outcome.denials.size() == 2);
  CHECK(outcome.denials.front() ==
        Denial{"connect", "192.0.2.1:80", "network.hosts",
               "network: {hosts: [{host: \"192.0.2.1\", ports: [80]}]}"});
}

TEST_CASE("without loopback in the policy neither bind nor connect works", "[sandbox]") {
  policies::Network network;
  network.loopback = false;
  SandboxFixture box(in_container(network));
  const Outcome outcome = box.run(perl(
      "socket(L,AF_INET,SOCK_STREAM,0); print bind(L,pack_sockaddr_in(0,INADDR_ANY)) ? 'bound' "
      ": 'no bind '; " +
      perl_connect("AF_INET", "127.0.0.1", 9)));
  CHECK(outcome.out.text() == "no bind EACCES\n");
  CHECK(outcome.denials.size() == 2);
}

TEST_CASE("flags of the descriptor survive bind and connect", "[sandbox]") {
  SandboxFixture box(in_container());
  const Outcome outcome = box.run(perl(
      "socket(L,AF_INET,SOCK_STREAM,0); bind(L,pack_sockaddr_in(0,INADDR_LOOPBACK)); listen(L,5);"
      "for my $mode (0,O_NONBLOCK) { for my $exec (0,FD_CLOEXEC) {"
      "socket(S,AF_INET,SOCK_STREAM,0); fcntl(S,F_SETFL,$mode); fcntl(S,F_SETFD,$exec);"
      "my $fd=fileno S; connect(S,getsockname L) or die $!; die if fileno(S)!=$fd;"
      "print +(fcntl(S,F_GETFL,0)&O_NONBLOCK)==$mode, (fcntl(S,F_GETFD,0)&1)==$exec;"
      "close S}}"));
  CHECK(outcome.out.text() == "11111111");
}

TEST_CASE("a connection that does not come about does not hold up the deadline", "[sandbox]") {
  SandboxFixture box(in_container());
  Command command = perl(
      "socket(L,AF_INET,SOCK_STREAM,0); bind(L,pack_sockaddr_in(0,INADDR_LOOPBACK));"
      "listen(L,0); for(1..9){socket($s[$_],AF_INET,SOCK_STREAM,0); connect($s[$_],getsockname "
      "L)} print 'all';");
  command.time = std::chrono::milliseconds(500);
  const auto [stuck, other] = box.both(command, shell_command("echo x > y && cat y"));
  CHECK(stuck.ending == Ending::deadline);
  CHECK(other.out.text() == "x\n");
}

TEST_CASE("Unix sockets of the workspace work, those outside do not", "[sandbox]") {
  const test::TempDir outside;
  const UniqueFd server = unix_server((outside / "s").string());
  const std::string path = (outside / "s").string();
  SandboxFixture box(in_container());
  const std::string connect =
      "sub c {socket(S,AF_UNIX,SOCK_STREAM,0) or die; my $ok=connect(S,pack_sockaddr_un($_[0]));"
      "print $ok ? 'ok' : join('',grep {$!{$_}} keys %!), qq(\\n)}";
  const Outcome outcome = box.run(
      perl(connect +
           "socket(L,AF_UNIX,SOCK_STREAM,0); bind(L,pack_sockaddr_un('in')) or die $!; listen(L,5);"
           "c('in'); c($ENV{PWD}.'/in') if $ENV{PWD}; c('./x/../in') if mkdir 'x'; symlink '" +
           path + "','link'; c('" + path + "'); c('link'); c('none'); c(qq(\\0/tmp/abstract));" +
           "c('/proc/self/root" + path + "');"));
  CHECK(outcome.out.text() == "ok\nok\nEACCES\nEACCES\nENOENT\nEPERM\nELOOP\n");
  CHECK(UniqueFd(::accept(server.get(), nullptr, nullptr)).get() < 0);
  REQUIRE(outcome.denials.size() == 2);
  CHECK(outcome.denials.front() == Denial{"connect", path, "network.unix_sockets",
                                          "network: {unix_sockets: [\"" + path + "\"]}", 2});
}

TEST_CASE("a Unix socket that the policy lists is reached", "[sandbox]") {
  const test::TempDir outside;
  const std::string path = (outside / "s").string();
  const UniqueFd server = unix_server(path);
  policies::Network network;
  network.unix_sockets = {path};
  SandboxFixture box(in_container(network));
  const Outcome outcome = box.run(
      perl("socket(S,AF_UNIX,SOCK_STREAM,0); print connect(S,pack_sockaddr_un('" + path + "'));"));
  CHECK(outcome.out.text() == "1");
  CHECK(UniqueFd(::accept(server.get(), nullptr, nullptr)).get() >= 0);
}

TEST_CASE("temporary files and home are the session's own and go with it", "[sandbox]") {
  std::string state;
  std::string tmp;
  {
    SandboxFixture box(in_container());
    state = box.state();
    const Outcome outcome = box.sh(
        "echo kept > $TMPDIR/kept; echo n > ~/note; cat $TMPDIR/kept ~/note; echo $TMPDIR; "
        "ln -s / $TMPDIR/root; mktemp > /dev/null || echo none; echo x 2> /dev/null > /tmp/x || "
        "true");
    CHECK(outcome.out.text().starts_with("kept\nn\n" + state));
    CHECK(box.sh("cat $TMPDIR/kept").out.text() == "kept\n");
    CHECK_FALSE(std::filesystem::exists(box.home() + "/note"));
    CHECK(std::distance(std::filesystem::directory_iterator(state + "/scratch"), {}) == 1);
    box.close();
    CHECK(std::filesystem::is_empty(state + "/scratch"));
  }
  CHECK(std::filesystem::exists("/usr"));  // the link was removed, not followed
}

}  // namespace
}  // namespace fathom::sandbox
