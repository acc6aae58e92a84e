// Sockets of the host that a session's view would show are covered.
#include "sandbox/host_sockets.hpp"

#include "sandbox/root_view.hpp"
#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace fathom::sandbox {
namespace {

using policies::Access;
using test::SandboxFixture;

constexpr const char* kTable =
    "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /var/lib/db/db.sock\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03 12346\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03  1234 /var/lib/db/db.sock\n"
    "0000000000000000: 00000002 00000000 00010000 0005 01 12347 @/tmp/abstract\n"
    "0000000000000000: 00000002 00000000 00010000 0002 01 12348 relative.sock\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 12349 /opt/a b.sock\n"
    "short line";

UniqueFd server_at(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), 8) == 0);
  REQUIRE(::chmod(path.c_str(), 0777) == 0);
  return fd;
}

bool was_reached(const UniqueFd& server) {
  return UniqueFd(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC)).get() >= 0;
}

std::string connect_to(const std::string& path) {
  return "socket(S,AF_UNIX,SOCK_STREAM,0) or die; print connect(S,pack_sockaddr_un('" + path +
         "')) ? 'ok' : join('',grep {$!{$_}} keys %!), qq(\\n); close S;";
}

Command perl(const std::string& script) {
  Command command;
  command.argv = {"perl", "-MSocket=:all", "-e", script};
  return command;
}

TEST_CASE("the paths of the table are the absolute ones, each once", "[sandbox]") {
  CHECK(parse_socket_paths(kTable) ==
        std::vector<std::string>{"/opt/a b.sock", "/var/lib/db/db.sock"});
  CHECK(parse_socket_paths("").empty());
}

TEST_CASE("a socket that listens is found, what else stands there is not", "[sandbox]") {
  const test::TempDir folder;
  const std::string path = (folder / "s").string();
  {
    const UniqueFd server = server_at(path);
    const auto paths = host_socket_paths().value();
    CHECK(std::ranges::find(paths, path) != paths.end());
    REQUIRE(::unlink(path.c_str()) == 0);
    folder.write("s", "a file");
    const auto without = host_socket_paths().value();
    CHECK(std::ranges::find(without, path) == without.end());
  }
}

TEST_CASE("sockets are hidden where they would be shown for reading, and only there", "[sandbox]") {
  policies::Policy policy;
  policy.filesystem.grants = {{"/srv/shared", Access::write, ""}, {"/opt/x", Access::hidden, ""}};
  policy.network.unix_sockets = {"/var/lib/listed.sock"};
  HostFacts host;
  host.uid = 1000;
  host.home = "/home/user";
  const Workspace workspace{"/work", 1000, 1000};
  CompileInput input{policy, host, workspace};
  input.host_sockets = {"/home/user/s.sock",  "/opt/x/s.sock",        "/run/s.sock",
                        "/srv/shared/s.sock", "/var/lib/listed.sock", "/var/lib/s.sock",
                        "/work/s.sock"};
  const auto look = [](const std::string& path) {
    return HostPath{path, path.ends_with(".sock") ? PathType::other : PathType::folder};
  };
  const auto hidden_sockets = [&] {
    const auto entries = view_entries(input, look);
    REQUIRE(entries);
    std::vector<std::string> paths;
    for (const ViewEntry& entry : *entries)
      if (entry.show == Show::hidden && entry.type == PathType::other) paths.push_back(entry.path);
    return paths;
  };
  CHECK(hidden_sockets() == std::vector<std::string>{"/var/lib/s.sock"});
  input.rung = Rung::container;  // has no mounts, and a broker
  CHECK(hidden_sockets().empty());
}

TEST_CASE("on the full rung a socket in a folder that may be read is not reached", "[sandbox]") {
  const test::TempDir outside;
  const std::string path = (outside / "s").string();
  const std::string listed = (outside / "listed").string();
  REQUIRE(::chmod(outside.path().c_str(), 0755) == 0);
  const UniqueFd server = server_at(path);
  const UniqueFd listed_server = server_at(listed);
  SandboxFixture box({[&](LauncherOptions& options) {
    options.rung = Rung::full;
    options.policy.filesystem.grants = {{outside.path().string(), Access::read, "test"}};
    options.policy.network.unix_sockets = {listed};
  }});
  const Outcome outcome = box.run(perl(
      connect_to(path) + connect_to(listed) +
      "socket(L,AF_UNIX,SOCK_STREAM,0); bind(L,pack_sockaddr_un('in')) or die $!; listen(L,5);" +
      connect_to("in")));
  CHECK(outcome.rung == Rung::full);
  CHECK(outcome.out.text() == "EACCES\nok\nok\n");
  CHECK_FALSE(was_reached(server));
  CHECK(was_reached(listed_server));
}

// A folder of root's that the view shows and that the session's own id cannot walk through.
struct ClosedFolder {
  std::string path = "/var/fathom-test-XXXXXX";
  bool made = ::mkdtemp(path.data()) != nullptr;
  ~ClosedFolder() {
    std::error_code ignored;
    if (made) std::filesystem::remove_all(path, ignored);
  }
};

TEST_CASE("a socket out of the session's reach does not keep it from standing", "[sandbox]") {
  if (::geteuid() != 0) return test::skip("not root: every socket in sight is in reach");
  const ClosedFolder folder;
  if (!folder.made) return test::skip("a folder in /var: it cannot be written here");
  const std::string path = folder.path + "/s";
  const UniqueFd server = server_at(path);
  SandboxFixture box({[](LauncherOptions& options) { options.rung = Rung::full; }});
  const Outcome outcome = box.run(perl(connect_to(path)));
  CHECK(outcome.rung == Rung::full);
  CHECK(outcome.out.text() == "EACCES\n");
  CHECK_FALSE(was_reached(server));
}

}  // namespace
}  // namespace fathom::sandbox
