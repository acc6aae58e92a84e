#include "runtime/net/listener.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/raw_client.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/io_context.hpp>

#include <sys/file.h>
#include <sys/stat.h>

#include <optional>

using namespace fathom;
using namespace fathom::net;

namespace {

Result<Listener> listen(asio::io_context& io, const std::string& address) {
  return Listener::create(io.get_executor(), *ListenAddress::parse(address));
}

}  // namespace

TEST_CASE("a port in use is named with the way out", "[runtime][e2e]") {
  asio::io_context io;
  for (const char* host : {"127.0.0.1", "[::1]"}) {
    auto first = listen(io, std::string(host) + ":0");
    REQUIRE(first);
    CHECK(first->address().port != 0);
    const std::string address = first->address().to_string();
    const auto second = listen(io, address);
    REQUIRE_FALSE(second);
    CHECK(second.error() ==
          Error{ErrorCode::in_use,
                "listen " + address +
                    ": address already in use (another fathom serve? choose --listen)"});
    first->close();
    CHECK(listen(io, address));
  }
}

TEST_CASE("an address that this machine does not have is an error", "[runtime][e2e]") {
  asio::io_context io;
  const auto refused = listen(io, "192.0.2.1:0");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.starts_with("listen 192.0.2.1:0: "));
}

TEST_CASE("a unix socket is its owner's and goes with the server", "[runtime][e2e]") {
  asio::io_context io;
  const test::TempDir dir;
  const std::string path = (dir / "fathom.sock").string();
  {
    const auto listener = listen(io, "unix:" + path);
    REQUIRE(listener);
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK(S_ISSOCK(info.st_mode));
    CHECK((info.st_mode & 0777) == 0600);
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a unix socket that somebody listens on is in use, a stale one is replaced",
          "[runtime][e2e]") {
  asio::io_context io;
  const test::TempDir dir;
  const std::string path = (dir / "fathom.sock").string();
  auto first = listen(io, "unix:" + path);
  REQUIRE(first);
  const auto second = listen(io, "unix:" + path);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::in_use);
  CHECK(std::filesystem::exists(path));

  // A crash leaves the file behind and nobody listening.
  const std::string kept = (dir / "kept").string();
  std::filesystem::create_hard_link(path, kept);
  first->close();
  CHECK_FALSE(std::filesystem::exists(path));
  std::filesystem::rename(kept, path);
  const auto third = listen(io, "unix:" + path);
  REQUIRE(third);
  CHECK_NOTHROW(test::RawClient(third->address()));
}

TEST_CASE("a unix socket never replaces a file and never removes another's socket",
          "[runtime][e2e]") {
  asio::io_context io;
  const test::TempDir dir;
  const auto file = dir.write("notes.txt", "precious");
  const auto refused = listen(io, "unix:" + file.string());
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == Error{ErrorCode::in_use, "listen unix:" + file.string() +
                                                        ": a file has this name (choose another)"});
  CHECK(test::slurp(file) == "precious");

  const std::string path = (dir / "s").string();
  auto ours = listen(io, "unix:" + path);
  REQUIRE(ours);
  std::filesystem::remove(path);
  const auto theirs = listen(io, "unix:" + path);
  REQUIRE(theirs);
  ours->close();
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("a unix socket's path must fit and its folder exist", "[runtime][e2e]") {
  asio::io_context io;
  const test::TempDir dir;
  const std::string longest =
      "unix:" + (dir / std::string(107 - dir.path().native().size() - 1, 'x')).string();
  CHECK(listen(io, longest));
  const auto too_long = listen(io, longest + "x");
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error() ==
        Error{ErrorCode::too_large,
              "listen " + longest +
                  "x: the path has 108 bytes, a socket path at most 107 (choose a shorter one)"});
  const auto homeless = listen(io, "unix:" + (dir / "none/s").string());
  REQUIRE_FALSE(homeless);
  CHECK(homeless.error().code == ErrorCode::not_found);
}

TEST_CASE("two servers that start at once do not remove each other's socket", "[runtime][e2e]") {
  asio::io_context io;
  const test::TempDir dir;
  const std::string address = "unix:" + (dir / "s").string();
  UniqueFd other(::open((dir / "s.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::flock(other.get(), LOCK_EX) == 0);  // where the other one is
  const auto refused = listen(io, address);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() ==
        Error{ErrorCode::in_use,
              "listen " + address + ": another server is starting there (try again)"});
  CHECK(std::filesystem::exists(dir / "s.lock"));

  other = UniqueFd();  // it crashed
  const auto listener = listen(io, address);
  REQUIRE(listener);
  CHECK_FALSE(std::filesystem::exists(dir / "s.lock"));
}

TEST_CASE("a lock on the folder does not keep a server from starting", "[runtime][e2e]") {
  asio::io_context io;
  const test::TempDir dir;
  const UniqueFd folder(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(folder.get(), LOCK_EX) == 0);
  CHECK(listen(io, "unix:" + (dir / "s").string()));
}

TEST_CASE("a link in the lock's place is not followed", "[runtime][e2e]") {
  asio::io_context io;
  const test::TempDir dir;
  const std::string address = "unix:" + (dir / "s").string();
  std::filesystem::create_symlink(dir / "elsewhere", dir / "s.lock");
  const auto refused = listen(io, address);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() ==
        Error{ErrorCode::in_use,
              "listen " + address + ": " + (dir / "s.lock").string() + " is a link (remove it)"});
  CHECK_FALSE(std::filesystem::exists(dir / "elsewhere"));
}
