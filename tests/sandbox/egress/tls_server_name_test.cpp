#include "sandbox/egress/tls_server_name.hpp"

#include "tests/support/catch.hpp"

#include <string>
#include <string_view>

using namespace fathom::sandbox;
using namespace std::string_literals;
using Kind = ServerName::Kind;

namespace {

std::string number(std::size_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string vec(const std::string& data, int length_bytes) {
  return number(data.size(), length_bytes) + data;
}

std::string extension(int type, const std::string& data) {
  return number(static_cast<std::size_t>(type), 2) + vec(data, 2);
}

std::string server_name(const std::string& name) {
  return extension(0, vec("\0"s + vec(name, 2), 2));
}

std::string hello_of(const std::string& extensions) {
  const std::string body = "\x03\x03"s + std::string(32, 'r') + vec(std::string(32, 's'), 1) +
                           vec("\x13\x01"s, 2) + vec("\0"s, 1) + vec(extensions, 2);
  return "\x01"s + vec(body, 3);
}

std::string record(const std::string& data) { return "\x16\x03\x01"s + vec(data, 2); }

const std::string kOther = extension(43, "\x02\x03\x04"s);

Kind kind_of(const std::string& bytes) { return read_server_name(bytes).kind; }

}  // namespace

TEST_CASE("the server name of a client hello is found, however it is cut", "[sandbox-egress]") {
  const std::string hello = hello_of(kOther + server_name("Api.Test"));
  const std::string whole = record(hello);
  const ServerName found = read_server_name(whole + "what follows");
  CHECK(found.kind == Kind::found);
  CHECK(found.name == "Api.Test");
  for (std::size_t i = 0; i < whole.size(); ++i)
    CHECK(kind_of(whole.substr(0, i)) == Kind::incomplete);
  // Records may cut the message anywhere.
  std::string crumbs;
  for (const char c : hello) crumbs += record(std::string(1, c));
  CHECK(read_server_name(crumbs).name == "Api.Test");
}

TEST_CASE("a client hello without a name, and other protocols, are told apart",
          "[sandbox-egress]") {
  CHECK(kind_of(record(hello_of(kOther))) == Kind::absent);
  CHECK(kind_of("GET / HTTP/1.1\r\n\r\n") == Kind::not_tls);
  CHECK(kind_of("SSH-2.0-OpenSSH") == Kind::not_tls);
  CHECK(kind_of("\x16\x02"s) == Kind::not_tls);
  const std::string bare =
      "\x03\x03"s + std::string(32, 'r') + "\0"s + vec("\x13\x01"s, 2) + vec("\0"s, 1);
  CHECK(kind_of(record("\x01"s + vec(bare, 3))) == Kind::absent);
}

TEST_CASE("a client hello with two names or loose ends is malformed", "[sandbox-egress]") {
  CHECK(kind_of(record(hello_of(server_name("a.test") + server_name("b.test")))) ==
        Kind::malformed);
  const std::string two = "\0"s + vec("a.test", 2) + "\0"s + vec("b.test", 2);
  CHECK(kind_of(record(hello_of(extension(0, vec(two, 2))))) == Kind::malformed);
  CHECK(kind_of(record(hello_of(extension(0, vec("\x01"s + vec("a", 2), 2))))) == Kind::malformed);
  CHECK(kind_of(record(hello_of(server_name("")))) == Kind::malformed);
  CHECK(kind_of(record(hello_of(extension(0, "")))) == Kind::malformed);
  CHECK(kind_of(record(hello_of("\0\0\0"s))) == Kind::malformed);
  CHECK(kind_of(record(hello_of(server_name("a.test")) + "x")) == Kind::malformed);
  CHECK(kind_of(record("\x02"s + vec("x", 3))) == Kind::malformed);
  CHECK(kind_of("\x16\x03\x01\x00\x00"s) == Kind::malformed);
  CHECK(kind_of(record("\x01"s) + "\x17\x03\x03\x00\x01x"s) == Kind::malformed);
}

TEST_CASE("a client hello that never ends is given up on", "[sandbox-egress]") {
  const std::string start = record("\x01"s + number(kClientHelloBytesMax, 3) + "\x03\x03"s);
  CHECK(kind_of(start) == Kind::incomplete);
  CHECK(kind_of(record("\x01"s + number(kClientHelloBytesMax + 1, 3))) == Kind::malformed);
  std::string crumbs = start;
  while (crumbs.size() < kClientHelloBytesMax) crumbs += record("x");
  CHECK(kind_of(crumbs) == Kind::malformed);
}
