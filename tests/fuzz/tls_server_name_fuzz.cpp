// What is said of a client hello is said once and for all: more bytes behind it change nothing, and
// fewer give no other answer than that they are too few.
#include "runtime/base/ensure.hpp"
#include "sandbox/egress/tls_server_name.hpp"

#include <cstdint>
#include <string>
#include <string_view>

using namespace fathom::sandbox;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const ServerName all = read_server_name(bytes);
  ENSURE((all.kind == ServerName::Kind::found) == !all.name.empty(), "a found name is one");
  for (std::size_t cut = 0; cut < bytes.size() && cut < 512; ++cut) {
    const ServerName part = read_server_name(std::string_view(bytes).substr(0, cut));
    if (part.kind == ServerName::Kind::incomplete) continue;
    ENSURE(part.kind == all.kind && part.name == all.name, "an answer stands");
  }
  if (all.kind == ServerName::Kind::incomplete) return 0;
  const ServerName more = read_server_name(bytes + "more");
  ENSURE(more.kind == all.kind && more.name == all.name, "an answer stands");
  return 0;
}
